// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandServerStats

/// How many connections all children may keep to a server that says this of itself.
struct KeepCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var cost = BH_IDLE_WORKER
    var timeout: UInt32 = 5000
    var idle: Int32 = 16
    var kept: Int32 = 0
    var workers: Int32 = 16
    var balancers: UInt32 = 1000
    var others: UInt32 = 10
    var may: UInt32
}

@Suite struct KeepableTests {
    static let all: [KeepCase] = [
        KeepCase(
            testDescription: "event, all at work: as many as it has workers", cost: BH_IDLE_FREE, idle: 0, may: 16),
        KeepCase(testDescription: "event: and half as many as are idle", cost: BH_IDLE_FREE, idle: 8, may: 20),
        KeepCase(testDescription: "event, one of ten balancers", cost: BH_IDLE_FREE, balancers: 10_000, may: 2),
        KeepCase(testDescription: "event, of no known size: all", cost: BH_IDLE_FREE, idle: 0, workers: 0, may: .max),
        KeepCase(testDescription: "event, nonsense: huge", cost: BH_IDLE_FREE, idle: .max, workers: .max, may: 65_535),
        KeepCase(
            testDescription: "event, nonsense: more idle than there are", cost: BH_IDLE_FREE, idle: .max, workers: 4,
            may: 6),
        KeepCase(testDescription: "event, for a second: none", cost: BH_IDLE_FREE, timeout: 1000, may: 0),
        KeepCase(testDescription: "KeepAlive Off: none", cost: BH_IDLE_CLOSED, timeout: 0, may: 0),
        KeepCase(
            testDescription: "nothing said: one a child", cost: BH_IDLE_UNKNOWN, timeout: 0, idle: 4, may: .max - 1),
        KeepCase(testDescription: "nothing said, few idle workers", cost: BH_IDLE_UNKNOWN, timeout: 0, idle: 3, may: 0),
        KeepCase(
            testDescription: "nothing said, not even of workers", cost: BH_IDLE_UNKNOWN, timeout: 0, idle: 0,
            workers: 0, may: .max - 1),
        KeepCase(
            testDescription: "nothing said, nonsense", cost: BH_IDLE_UNKNOWN, timeout: 0, idle: -5, workers: -9,
            may: .max - 1),
        KeepCase(testDescription: "a quarter of the idle workers", may: 4),
        KeepCase(testDescription: "four workers: one", idle: 4, may: 1),
        KeepCase(testDescription: "three workers: none", idle: 3, may: 0),
        KeepCase(testDescription: "kept ones are not at work", idle: 12, kept: 4, may: 4),
        KeepCase(testDescription: "all at work: none", idle: 0, may: 0),
        KeepCase(testDescription: "half of the balancers", balancers: 2000, may: 2),
        KeepCase(testDescription: "not known yet, two others", balancers: 0, others: 2, may: 2),
        KeepCase(testDescription: "not known, full table", idle: 512, workers: 512, balancers: 0, others: 2047, may: 2),
        KeepCase(testDescription: "not known yet, no other", balancers: 0, others: 0, may: 4),
        KeepCase(testDescription: "one of ten", idle: 150, balancers: 10_000, may: 3),
        KeepCase(testDescription: "we send more than it gets", balancers: 500, may: 4),
        KeepCase(testDescription: "a second is none", timeout: 1000, may: 0),
        KeepCase(testDescription: "a little more than a second", timeout: 1001, may: 4),
        KeepCase(testDescription: "nonsense: negative", idle: -5, kept: -7, may: 0),
        KeepCase(testDescription: "nonsense: huge", idle: .max, kept: .max, may: 65_535),
    ]

    @Test(arguments: all) func rights(of one: KeepCase) {
        var facts = bh_facts_t()
        facts.idle_cost = one.cost.rawValue
        (facts.keepalive_ms, facts.workers, facts.idle_workers, facts.kept_workers) = (
            one.timeout, one.workers, one.idle, one.kept
        )
        #expect(keepable(facts, balancers: one.balancers, others: one.others) == one.may)
    }
}

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
        ShareCase(
            testDescription: "more than there can be", inFlight: .max, waiting: 8 + UInt32.max / 2000, kept: 6_442_458),
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

/// Rights to keep a connection: a sum a row, of which each child has its part.
@Suite struct KeepTests {
    let table = TestSegment()
    var segment: UnsafeMutablePointer<bh_segment_t> { table.segment }
    var sum: UInt32 { bh_half_load(&bh_segment_row_mutable(segment, 1).pointee.kept) }

    @Test func noMoreThanThereAre() {
        #expect([true, true, false, false] == (0..<4).map { _ in bh_keep_take(segment, 0, 1, 2) })
        #expect(sum == 2)
        bh_keep_give(segment, 0, 1)
        #expect(bh_keep_take(segment, 1, 1, 2) && !bh_keep_take(segment, 1, 1, 2) && sum == 2)
        #expect(!bh_keep_take(segment, 0, 1, 0))
        // Where there is no bound, each is counted all the same; a child without a slot counts in the sum alone.
        #expect(bh_keep_take(segment, 0, 1, .max) && bh_keep_take(segment, -1, 1, .max) && sum == 4)
    }

    /// A child that is gone takes its part of each row along, and no more.
    @Test func whatADeadChildKept() {
        let slots = UInt32(4)
        #expect(bh_child_claim(segment, slots, 100) == 0 && bh_child_claim(segment, slots, 200) == 1)
        for _ in 0..<3 { _ = bh_keep_take(segment, 0, 1, 9) }
        _ = bh_keep_take(segment, 1, 1, 9)
        _ = bh_keep_take(segment, 0, 2, 9)
        bh_child_forget(segment, slots, 100, 0)
        #expect(sum == 1 && bh_half_load(&bh_segment_row_mutable(segment, 2).pointee.kept) == 0)
        bh_child_forget(segment, slots, 100, 0)
        #expect(sum == 1)
        bh_child_forget(segment, slots, 200, 0)
        #expect(sum == 0)
    }

    /// The sum goes by row: connections to the server that had it before count until they are closed.
    @Test func aRowThatGetsAnotherServer() {
        var writer = table.writer()
        let (old, new) = (announcement("10.0.0.4", boot: 4), announcement("10.0.0.5", boot: 5))
        #expect(writer.hear(old, now: 1000, wall: 5) == .row(1))
        #expect(bh_keep_take(segment, 0, 1, 9) && bh_keep_take(segment, 1, 1, 9))
        writer.expire(after: 60_000, now: 900_000)
        #expect(writer.hear(new, now: 1_800_000, wall: 6) == .row(1) && sum == 2)
        #expect(bh_keep_take(segment, 0, 1, 9))
        bh_keep_give(segment, 0, 1)
        bh_keep_give(segment, 1, 1)
        #expect(sum == 1)
        bh_keep_give(segment, 0, 1)
        #expect(sum == 0)
    }
}
