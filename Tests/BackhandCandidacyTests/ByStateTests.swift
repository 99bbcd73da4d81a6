// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

@Suite struct ByStateTests {
    private let works = FakeServer(time: 10_000)
    private let fails = FakeServer(time: 10_000, errors: 1_000_000)

    /// The share that failed, in millionths, the milliseconds since, and whether that is a half of what is believed: 10 s later half of it is.
    @Test(arguments: [(499_999, 0, false), (500_000, 0, true), (500_000, 1, false), (750_000, 5000, true), (750_000, 5001, false),
                      (1_000_000, 10_000, true), (1_000_000, 10_001, false), (1_000_000, 3_000_000, false)] as [(UInt64, UInt64, Bool)])
    func vectors(errors: UInt64, age: UInt64, isBroken: Bool) throws {
        let table = FakeTable([works, FakeServer(time: 10_000, errors: errors), works])
        let ids = try table.decide(["byState"], now: FakeTable.now + age).ids
        #expect(ids == (isBroken ? [0, 2] : [0, 1, 2]))
    }

    /// What it announces counts only as long as it got nothing from here.
    @Test(arguments: [(499_999, 0, false), (500_000, 0, true), (1_000_000, 0, true), (1_000_000, 10_000, false)] as [(UInt32, UInt64, Bool)])
    func announced(errors: UInt32, time: UInt64, isBroken: Bool) throws {
        let table = FakeTable([works, FakeServer(announcedErrors: errors, time: time), works])
        #expect(try table.decide(["byState"]).ids == (isBroken ? [0, 2] : [0, 1, 2]))
    }

    /// Here too, as counted in row 0.
    @Test func selfMayBeBroken() throws {
        let table = FakeTable([fails, works, works])
        #expect(try table.decide(["byState"]).ids == [1, 2])
        let other = FakeTable([FakeServer(heard: 0, time: 10_000, errors: 1_000_000), works, FakeServer(own: true)])
        #expect(try other.decide(Chain(["byState"]), own: 2).ids == [1])
    }

    /// Which of the servers fail, and what is left: never fewer than half.
    @Test(arguments: [("f", [0]), ("fw", [1]), ("ff", [0, 1]), ("wffw", [0, 3]), ("fffw", [3, 0, 1, 2]), ("ffwf", [2, 0, 1, 3]), ("wfw", [0, 2]), ("fwf", [1, 0, 2])]
              as [(String, [Int32])])
    func floor(servers: String, left: [Int32]) throws {
        let table = FakeTable(servers.map { $0 == "f" ? fails : works })
        #expect(try table.decide(["byState"]).ids == left)
    }

    /// Servers in back-off are servers that are left out.
    @Test(arguments: [(1, 2), (2, 3), (3, 4), (4, 4)])
    func refusingOnesCount(refusing: Int, left: Int) throws {
        let away = FakeServer(backoff: FakeTable.now + 1000)
        let table = FakeTable([works, fails, works] + (refusing > 2 ? [works] : []) + Array(repeating: away, count: refusing))
        let ids = try table.decide(["byState"]).ids
        #expect(ids.count == left)
        #expect(ids.last == 1 || !ids.contains(1))
    }

    /// Nobody is dropped then, and who works, but should get nothing, comes before who fails and who refuses.
    @Test func lastResort() throws {
        let table = FakeTable([
            FakeServer(heard: 0), FakeServer(backoff: FakeTable.now + 1000), fails, FakeServer(), FakeServer(backoff: FakeTable.now + 900), works,
        ])
        bh_half_store(&bh_segment_row_mutable(table.segment, 3).pointee.state, BH_STATE_DRAINING.rawValue)
        bh_half_store(&bh_segment_row_mutable(table.segment, 2).pointee.state, BH_STATE_DRAINING.rawValue)
        #expect(try table.decide(["byState"]).ids == [5])
        bh_half_store(&bh_segment_row_mutable(table.segment, 5).pointee.ordered, BH_STATE_MAINTENANCE.rawValue)
        let outcome = try table.decide(["byState"])
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
        let after = try table.decide(["byState"]).ids
        #expect(Set(after).isSubset(of: before) && Set(after).count == after.count && 2 * after.count >= before.count)
        _ = try table.decide(["default"])
    }
}
