// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

@Suite struct ByLeastTimeTests {
    @Test(
        arguments: [
            // time, in flight -> order
            ([(20_000, 0), (10_000, 0), (30_000, 0)], [1, 0, 2]),
            ([(10_000, 3), (15_000, 1), (100_000, 0)], [1, 0, 2]),  // 40, 30, 100 ms
            ([(10_000, 1), (0, 1), (50_000, 0)], [0, 1, 2]),  // unknown: as good as the best, 10 ms, and it has one too
            ([(10_000, 2), (0, 0), (50_000, 0)], [1, 0, 2]),
        ] as [([(UInt64, UInt32)], [Int32])])
    func order(servers: [(time: UInt64, inFlight: UInt32)], expected: [Int32]) throws {
        let table = FakeTable(servers.map { FakeServer(inFlight: $0.inFlight, time: $0.time) })
        let ids = try table.decide(["byLeastTime"], seed: 3).ids
        if servers[1].time == 0, servers[1].inFlight == 1 {
            #expect(Set(ids.prefix(2)) == [0, 1] && ids[2] == 2)
        } else {
            #expect(ids == expected)
        }
    }

    /// Half of the errors count as four times the time; all of them as four hundred times.
    @Test func errorsRepel() throws {
        let servers = [
            FakeServer(time: 39_000), FakeServer(time: 10_000, errors: 500_000),
            FakeServer(time: 1000, errors: 1_000_000),
        ]
        #expect(try FakeTable(servers).decide(["byLeastTime"]).ids == [0, 1, 2])
    }

    /// Who was slow a while ago is tried again: after 90 s a tenth of the time counts.
    @Test func oldTimesFade() throws {
        let table = FakeTable([FakeServer(time: 20_000), FakeServer(time: 100_000)])
        bh_mean_add(
            &bh_segment_row_mutable(table.segment, 0).pointee.latency, (FakeTable.now + 90_000) * 1000, 20_000, 1, 0)
        #expect(try table.decide(["byLeastTime"]).ids == [0, 1])
        #expect(try table.decide(["byLeastTime"], now: FakeTable.now + 90_000).ids == [1, 0])
    }

    /// Equal servers get equal shares: 4000 decisions, four servers, five standard deviations.
    @Test func tiesAreRandom() throws {
        let table = FakeTable(Array(repeating: FakeServer(time: 10_000), count: 4))
        var firsts = [0, 0, 0, 0]
        try table.decideOften(["byLeastTime"], seeds: 0..<4000) { firsts[Int($0[0].id)] += 1 }
        for count in firsts { #expect(abs(count - 1000) < 137) }
    }
}
