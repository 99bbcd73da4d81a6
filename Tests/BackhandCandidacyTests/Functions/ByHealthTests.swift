// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandCandidacy

@Suite struct ByHealthTests {
    private let works = FakeServer(time: 10_000)
    private let fails = FakeServer(doubts: [BH_DOUBT_FAILING], time: 10_000, errors: 900_000)

    /// What the evidence made of it, and whether it is dropped: not for wrong answers, and not by the request that
    /// probes whether it works again.
    @Test(
        arguments: [
            ([BH_DOUBT_FAILING], 1000, true), ([BH_DOUBT_FAILING, BH_DOUBT_FAILS], 1000, true),
            ([BH_DOUBT_WRONG], 1000, false), ([], 1000, false),
            ([BH_DOUBT_FAILING], 0, false),
        ] as [([bh_doubt_t], UInt64, Bool)])
    func vectors(doubts: [bh_doubt_t], probe: UInt64, isBroken: Bool) throws {
        let table = FakeTable([works, FakeServer(doubts: doubts, probe: FakeTable.now + probe, time: 10_000), works])
        #expect(Set(try table.decide(["byHealth"]).ids) == (isBroken ? [0, 2] : [0, 1, 2]))
    }

    /// What it announces counts only as long as the chain has had no answer from it, and one request in 64 looks all
    /// the same.
    @Test(
        arguments: [
            (499_999, false, false), (500_000, false, true), (1_000_000, false, true), (1_000_000, true, false),
        ] as [(UInt32, Bool, Bool)])
    func announced(errors: UInt32, answered: Bool, isBroken: Bool) throws {
        let table = FakeTable([works, FakeServer(announcedErrors: errors), works])
        let asked = bh_asked_t(client: 1, url: 1)
        if answered { noteEvidence(table.segment, 1, chain: 0, kind: BH_CLASS_GOOD, asked: asked, now: FakeTable.now) }
        var dropped = 0
        try table.decideOften(["byHealth"], seeds: 0..<640) { if $0.count == 2 { dropped += 1 } }
        #expect(isBroken ? (600..<640).contains(dropped) : dropped == 0, "\(dropped)")
        #expect(try table.decide(Chain(["byHealth"]), repeatable: false).ids == (isBroken ? [0, 2] : [0, 1, 2]))
    }

    /// Here too, as counted in row 0.
    @Test func selfMayBeBroken() throws {
        let table = FakeTable([fails, works, works])
        #expect(try table.decide(["byHealth"]).ids == [1, 2])
        let other = FakeTable([FakeServer(heard: 0, doubts: [BH_DOUBT_FAILING]), works, FakeServer(own: true)])
        #expect(try other.decide(Chain(["byHealth"]), own: 2).ids == [1])
    }

    /// Which of the servers fail, by our evidence or by their own checks (c), and what is left: never fewer than half.
    @Test(
        arguments: [
            ("f", [0]), ("fw", [1]), ("ff", [0, 1]), ("wffw", [0, 3]), ("fffw", [3, 0, 1, 2]), ("ffwf", [2, 0, 1, 3]),
            ("wfw", [0, 2]), ("fwf", [1, 0, 2]), ("c", [0]), ("wcw", [0, 2]), ("wcfw", [0, 3]), ("cwc", [1, 0, 2]),
            ("cc", [0, 1]),
        ]
            as [(String, [Int32])])
    func floor(servers: String, left: [Int32]) throws {
        let failsCheck = FakeServer(check: BH_FINDING_TIMEOUT.rawValue | UInt32(BH_CHECK_FAILING), time: 10_000)
        let table = FakeTable(servers.map { $0 == "f" ? fails : $0 == "c" ? failsCheck : works })
        #expect(try table.decide(["byHealth"]).ids == left)
    }

    /// Servers in back-off are servers that are left out.
    @Test(arguments: [(1, 2), (2, 3), (3, 4), (4, 4)])
    func refusingOnesCount(refusing: Int, left: Int) throws {
        let away = FakeServer(backoff: FakeTable.now + 1000)
        let table = FakeTable(
            [works, fails, works] + (refusing > 2 ? [works] : []) + Array(repeating: away, count: refusing))
        let ids = try table.decide(["byHealth"]).ids
        #expect(ids.count == left)
        #expect(ids.last == 1 || !ids.contains(1))
    }

    /// Nobody is dropped then, and who works, but should get nothing, comes before who fails and who refuses.
    @Test func lastResort() throws {
        let table = FakeTable([
            FakeServer(heard: 0), FakeServer(backoff: FakeTable.now + 1000), fails, FakeServer(),
            FakeServer(backoff: FakeTable.now + 900), works,
        ])
        bh_half_store(&bh_segment_row_mutable(table.segment, 3).pointee.state, BH_STATE_DRAINING.rawValue)
        bh_half_store(&bh_segment_row_mutable(table.segment, 2).pointee.state, BH_STATE_DRAINING.rawValue)
        #expect(try table.decide(["byHealth"]).ids == [5])
        bh_half_store(&bh_segment_row_mutable(table.segment, 5).pointee.ordered, BH_STATE_MAINTENANCE.rawValue)
        let outcome = try table.decide(["byHealth"])
        #expect(outcome.ids == [3, 2, 1, 4])
        #expect(outcome.lastResort)
        #expect(try table.decide(["default"]).ids.prefix(2) == [3, 2])
    }

    @Test func inDefault() throws {
        #expect(try FakeTable([fails, works, works]).decide(["default"]).ids.sorted() == [1, 2])
        #expect(try FakeTable([fails, fails, works]).decide(["default"]).ids.first == 2)
    }

    /// Whatever stands in the table, no decision traps and no server is doubled.
    @Test(arguments: 0..<40)
    func noise(seed: UInt64) throws {
        let table = FakeTable(count: 16)
        table.fillWithNoise(seed: seed)
        bh_half_store(&table.segment.pointee.rows, 16)
        let before = try table.decide([]).ids
        let after = try table.decide(["byHealth"]).ids
        #expect(Set(after).isSubset(of: before) && Set(after).count == after.count && 2 * after.count >= before.count)
        _ = try table.decide(["default"])
    }
}
