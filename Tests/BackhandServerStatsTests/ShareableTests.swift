// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandServerStats

/// How many connections to a server may wait in the pool of all children.
struct ShareCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var may: UInt32 = .max
    var inFlight: UInt32 = 0
    var share: UInt32
}

@Suite struct ShareableTests {
    static let all: [ShareCase] = [
        ShareCase(testDescription: "no requests yet: eight", share: 8),
        ShareCase(testDescription: "one request: eight", inFlight: 1000, share: 8),
        ShareCase(testDescription: "half of them, and eight", inFlight: 16_000, share: 16),
        ShareCase(testDescription: "parts are rounded down", inFlight: 3_999, share: 9),
        ShareCase(testDescription: "no more than may be kept", may: 4, inFlight: 16_000, share: 4),
        ShareCase(testDescription: "none may be kept", may: 0, share: 0),
        ShareCase(testDescription: "a server that says nothing", may: .max - 1, inFlight: 2000, share: 9),
        ShareCase(testDescription: "more than there can be", inFlight: .max, share: 8 + UInt32.max / 2000),
    ]

    @Test(arguments: all) func most(of one: ShareCase) {
        #expect(shareable(one.may, inFlight: one.inFlight) == one.share)
    }

    /// It goes to the row's place with each announcement.
    @Test func inTheTable() {
        let table = TestSegment()
        var writer = table.writer()
        var facts = announcement("10.0.0.4", boot: 4)
        (facts.idle_cost, facts.keepalive_ms, facts.idle_workers) = (BH_IDLE_WORKER.rawValue, 5000, 12)
        #expect(writer.hear(facts, now: 1000, wall: 5) == .row(1))
        #expect(bh_segment_shared(table.segment, 1).pointee.most == 3)
    }

    /// What waits counts with what children keep; a count below zero is none.
    @Test func whatWaits() {
        let table = TestSegment()
        bh_shared_add(table.segment, 1, 2)
        _ = bh_keep_take(table.segment, 0, 1, 9)
        #expect(bh_shared_waiting(table.segment, 1) == 2 && bh_row_kept(table.segment, 1) == 3)
        bh_shared_add(table.segment, 1, -3)
        #expect(bh_shared_waiting(table.segment, 1) == 0 && bh_row_kept(table.segment, 1) == 1)
    }
}
