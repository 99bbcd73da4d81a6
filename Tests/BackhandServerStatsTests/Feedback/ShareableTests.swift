// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandServerStats

/// How many connections to a server may wait in the pool of all children.
struct ShareCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var may: UInt32 = .max
    var inFlight: UInt32 = 0
    var waiting: UInt32
    var kept: UInt32
}

@Suite struct ShareableTests {
    static let all: [ShareCase] = [
        ShareCase(testDescription: "no requests yet: eight", waiting: 8, kept: 8),
        ShareCase(testDescription: "one request: eight", inFlight: 1000, waiting: 8, kept: 9),
        ShareCase(testDescription: "half of them, and eight", inFlight: 16_000, waiting: 16, kept: 32),
        ShareCase(testDescription: "parts are rounded down", inFlight: 3_999, waiting: 9, kept: 13),
        ShareCase(testDescription: "no more than may be kept", may: 4, inFlight: 16_000, waiting: 4, kept: 4),
        ShareCase(testDescription: "none may be kept", may: 0, waiting: 0, kept: 0),
        ShareCase(testDescription: "a server that says nothing", may: .max - 1, inFlight: 2000, waiting: 9, kept: 11),
        ShareCase(testDescription: "more than there can be", inFlight: .max, waiting: 8 + UInt32.max / 2000, kept: 6_442_458),
    ]

    @Test(arguments: all) func most(of one: ShareCase) {
        #expect(shareable(one.may, inFlight: one.inFlight) == (one.waiting, one.kept))
    }

    /// It goes to the row's place with each announcement.
    @Test func inTheTable() {
        let table = TestSegment()
        var writer = table.writer()
        var facts = announcement("10.0.0.4", boot: 4)
        (facts.idle_cost, facts.keepalive_ms, facts.idle_workers) = (BH_IDLE_WORKER.rawValue, 5000, 12)
        #expect(writer.hear(facts, now: 1000, wall: 5) == .row(1))
        let shared = bh_segment_shared(table.segment, 1).pointee
        #expect(shared.most == 3 && shared.most_kept == 3)
    }

    /// One more may wait as long as few wait, or few are kept.
    @Test func room() {
        let table = TestSegment()
        let shared = bh_segment_shared(table.segment, 1)
        (shared.pointee.most, shared.pointee.most_kept) = (2, 4)
        bh_shared_add(table.segment, 1, 4)
        #expect(bh_shared_has_room(table.segment, 1, 0))
        bh_shared_add(table.segment, 1, 1)
        #expect(!bh_shared_has_room(table.segment, 1, 0))
        // Many are in use.
        bh_shared_add(table.segment, 1, -3)
        for _ in 0..<9 { _ = bh_keep_take(table.segment, 0, 1, .max) }
        #expect(!bh_shared_has_room(table.segment, 1, 0) && bh_shared_has_room(table.segment, 1, -1))
        bh_shared_add(table.segment, 1, -1)
        #expect(bh_shared_has_room(table.segment, 1, 0))
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
