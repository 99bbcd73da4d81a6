// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Foundation
import Synchronization
import Testing

/// Facts in which every number says the same, so that a mixture of two states is seen.
private func uniform(_ number: UInt64) -> bh_facts_t {
    var facts = announcement("10.0.0.4", boot: 7, sequence: number)
    facts.total_memory = number
    facts.free_memory = number
    facts.worker_memory = number
    facts.arrivals = number
    facts.arriba = Int32(truncatingIfNeeded: number)
    facts.load = facts.arriba
    facts.load_hwm = facts.arriba
    facts.cpu = facts.arriba
    facts.ncpu = facts.arriba
    facts.workers = facts.arriba
    facts.idle_workers = facts.arriba
    withUnsafeMutableBytes(of: &facts.hostname) {
        for index in 0..<63 { $0[index] = UInt8(ascii: "a") + UInt8(number % 26) }
    }
    return facts
}

private func isUniform(_ facts: bh_facts_t) -> Bool {
    let letter = UInt8(ascii: "a") + UInt8(facts.sequence % 26)
    let low = Int32(truncatingIfNeeded: facts.sequence)
    return facts.total_memory == facts.sequence && facts.free_memory == facts.sequence
        && facts.worker_memory == facts.sequence && facts.arrivals == facts.sequence
        && facts.changed_wall == Int64(facts.sequence)
        && facts.arriba == low && facts.load == low && facts.load_hwm == low && facts.cpu == low
        && facts.ncpu == low && facts.workers == low && facts.idle_workers == low
        && withUnsafeBytes(of: facts.hostname) { $0.prefix(63).allSatisfy { $0 == letter } && $0[63] == 0 }
}

private final class Tally: Sendable {
    let read = Atomic<Int>(0)
    let skipped = Atomic<Int>(0)
    let mixed = Atomic<Int>(0)
    let backwards = Atomic<Int>(0)
    let finished = Atomic<Int>(0)
    let stop = Atomic<Bool>(false)
}

@Suite struct SequenceLockTests {
    /// One moderator writes a row as fast as it can, three readers copy it: no copy mixes two states or goes back in
    /// time.
    @Test func readersSeeWholeStates() {
        let table = TestSegment()
        let tally = Tally()
        var writer = table.writer()
        _ = writer.hear(uniform(1), now: 1, wall: 1)
        for _ in 0..<3 {
            Thread.detachNewThread {
                Self.read(table, tally)
                tally.finished.add(1, ordering: .releasing)
            }
        }
        let end = Date(timeIntervalSinceNow: 0.7)
        var number = UInt64(1)
        while Date() < end {
            for _ in 0..<256 {
                number += 1
                _ = writer.hear(uniform(number), now: number, wall: Int64(number))
            }
        }
        tally.stop.store(true, ordering: .relaxed)
        while tally.finished.load(ordering: .acquiring) < 3 { Thread.sleep(forTimeInterval: 0.001) }
        #expect(tally.mixed.load(ordering: .relaxed) == 0)
        #expect(tally.backwards.load(ordering: .relaxed) == 0)
        #expect(tally.read.load(ordering: .relaxed) > 1000)
        #expect(tally.skipped.load(ordering: .relaxed) == 0)
        #expect(table.facts(1)?.sequence == number)
    }

    private static func read(_ table: TestSegment, _ tally: Tally) {
        var last = UInt64(0)
        var facts = bh_facts_t()
        while !tally.stop.load(ordering: .relaxed) {
            guard bh_row_copy(bh_segment_row(table.segment, 1), &facts) else {
                tally.skipped.add(1, ordering: .relaxed)
                continue
            }
            tally.read.add(1, ordering: .relaxed)
            if !isUniform(facts) { tally.mixed.add(1, ordering: .relaxed) }
            if facts.sequence < last { tally.backwards.add(1, ordering: .relaxed) }
            last = facts.sequence
        }
    }

    /// A moderator that is stopped or killed between any two stores of a write: readers have the facts of before it or
    /// after it, whole.
    @Test(arguments: [UInt32(BH_PHASE_FACTS.rawValue), UInt32(BH_PHASE_BEFORE.rawValue)])
    func writerThatStops(phase: UInt32) throws {
        let table = TestSegment()
        var writer = table.writer()
        _ = writer.hear(uniform(1), now: 1, wall: 1)
        let row = table.row(1)
        let first = row.pointee.facts
        _ = writer.hear(uniform(2), now: 2, wall: 2)
        let lock = row.pointee.lock
        #expect(lock % UInt32(BH_PHASES.rawValue) == BH_PHASE_REST.rawValue)
        // Half of the copy that is being written is another announcement's.
        row.pointee.lock = lock + phase
        if phase == BH_PHASE_FACTS.rawValue {
            row.pointee.before = first
            row.pointee.facts.arrivals = 77
        } else {
            row.pointee.before.arrivals = 77
        }
        #expect(try isUniform(#require(table.facts(1))))
        #expect(table.facts(1)?.sequence == (phase == BH_PHASE_FACTS.rawValue ? 1 : 2))
        var address = bh_address_t()
        #expect(bh_row_address(row, &address) && address == parseAddress("10.0.0.4"))
        // Its successor knows the server, and makes all whole again.
        var next = table.writer(pid: 101)
        #expect(next.hear(uniform(3), now: 3, wall: 3) == .row(1))
        #expect(row.pointee.lock % UInt32(BH_PHASES.rawValue) == BH_PHASE_REST.rawValue)
        #expect(isUniform(row.pointee.facts) && isUniform(row.pointee.before))
        #expect(row.pointee.facts.sequence == 3 && row.pointee.before.sequence == 3)
    }
}
