// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import Testing

@testable import BackhandModerator

private func workers(pids: [Int32], threads: Int32, busy: Int32 = 0, idle: Int32 = 0) -> bh_workers_t {
    var workers = bh_workers_t()
    workers.busy = busy
    workers.idle = idle
    workers.threads = threads
    withUnsafeMutableBytes(of: &workers.pids) { room in
        for (place, pid) in pids.enumerated() { room.bindMemory(to: Int32.self)[place] = pid }
    }
    return workers
}

@Test(
    arguments: [
        ([], 1, 0),
        ([7], 1, 7000),
        ([7, 9], 1, 8000),
        ([7, 9], 4, 2000),
        ([7, 13, 9], 4, 2000),  // 13 is gone
        ([13], 4, 0),
        ([7, 0, -3], 1, 7000),
        ([7], 0, 7000),
        ([7], -8, 7000),
        ([99, 99], 1, UInt64.max / 2),
    ] as [([Int32], Int32, UInt64)])
func workerMemory(pids: [Int32], threads: Int32, expected: UInt64) {
    let mean = meanWorkerMemory(workers(pids: pids, threads: threads)) { pid in
        pid == 13 ? nil : pid == 99 ? .max : UInt64(pid) * 1000
    }
    #expect(mean == expected)
}

@Test(
    arguments: [
        (3, 5, 8, 5), (0, 0, 0, 0), (-1, 5, 5, 5), (3, -5, 3, 0),
    ] as [(Int32, Int32, Int32, Int32)])
func workersAreCounted(busy: Int32, idle: Int32, all: Int32, free: Int32) {
    let facts = ownFacts(
        HostSample(), workers(pids: [], threads: 1, busy: busy, idle: idle), workerMemory: 5, arriba: 6)
    #expect(facts.workers == all)
    #expect(facts.idle_workers == free)
    #expect(facts.worker_memory == 5 && facts.arriba == 6)
}

@Test(arguments: [
    ("www.example.org", "www.example.org"),
    (String(repeating: "x", count: 100), String(repeating: "x", count: 63)),
    ("", ""),
])
func hostnamesAreCut(given: String, kept: String) {
    var facts = bh_facts_t()
    facts.setHostname(given)
    #expect(String(cString: bh_facts_hostname(&facts)) == kept)
    facts.setHostname(nil)
    #expect(String(cString: bh_facts_hostname(&facts)) == kept)
}
