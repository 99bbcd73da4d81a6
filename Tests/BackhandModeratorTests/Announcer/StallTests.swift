// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

@Suite struct StallTests {
    /// One look a second; each process works (true), is stopped (false), or is gone (nil).
    @Test(
        arguments: [
            ([[true, true], [true, false]], [0, 0]),
            ([[false, false], [false, false], [false, false]], [0, 1000, 2000]),
            ([[false, false], [true, false], [false, false], [false, false]], [0, 0, 0, 1000]),
            ([[false, nil], [false, nil]], [0, 1000]),
            ([[nil, nil], [nil, nil]], [0, 0]),
            ([[false, false], [nil, nil], [false, false]], [0, 0, 0]),
        ] as [([[Bool?]], [UInt32])])
    func looks(_ looks: [[Bool?]], _ expected: [UInt32]) {
        var stall = Stall()
        let found = looks.enumerated().map { number, look in
            stall.milliseconds(of: workers(7, 8), now: 5000 + 1000 * UInt64(number)) {
                ($0 == 7 ? look[0] : look[1]).map { !$0 }
            }
        }
        #expect(found == expected)
    }

    @Test func noProcesses() {
        var stall = Stall()
        #expect(stall.milliseconds(of: workers(), now: 1000) { _ in true } == 0)
        #expect(stall.milliseconds(of: workers(), now: 9000) { _ in true } == 0)
    }

    private func workers(_ pids: Int32...) -> bh_workers_t {
        var workers = bh_workers_t()
        withUnsafeMutableBytes(of: &workers.pids) { room in
            for (index, pid) in pids.enumerated() { room.storeBytes(of: pid, toByteOffset: 4 * index, as: Int32.self) }
        }
        return workers
    }
}
