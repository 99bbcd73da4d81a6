// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandCandidacy

/// Shares of first places over many requests, for servers with these times since they came, in milliseconds.
private func shares(
    _ times: [UInt64], _ chain: [String], loads: [Int32]? = nil, slowStart: UInt32 = 10_000
) throws -> [Double] {
    let table = FakeTable(times.indices.map { FakeServer(load: loads?[$0] ?? 0) })
    for (id, time) in times.enumerated() {
        bh_word_store(&bh_segment_row_mutable(table.segment, UInt32(id)).pointee.came_ms, FakeTable.now - time)
    }
    let steps = try Chain(chain)
    let workspace = GuardedMemory(table.workspaceSize(steps))
    var (decision, first) = (bh_decision_t(), [Int](repeating: 0, count: times.count))
    let rounds = 20_000
    for seed in 0..<UInt64(rounds) {
        var request = FakeTable.request(seed: seed &* 7919)
        request.slow_start_ms = slowStart
        #expect(BackhandCandidacy.decide(table.segment, steps.steps, &request, workspace.inner, &decision) == BH_OK)
        if decision.count > 0, let servers = decision.servers { first[Int(servers[0].id)] += 1 }
    }
    return withExtendedLifetime((table, steps, workspace)) { first.map { Double($0) / Double(rounds) } }
}

private func isNear(_ found: [Double], _ wanted: [Double]) -> Bool {
    zip(found, wanted).allSatisfy { abs($0 - $1) < 0.015 }
}

@Suite struct SlowStartTests {
    /// byLoad would send everything to the newcomer: it gets as much of that as of the slow start has passed.
    @Test(arguments: [0, 1000, 2500, 5000, 9000, 10_000, 50_000] as [UInt64])
    func theShareGrows(time: UInt64) throws {
        let share = min(Double(time) / 10_000, 1)
        let found = try shares([60_000, time], ["byLoad"], loads: [5000, 0])
        #expect(isNear(found, [1 - share, share]), "\(found)")
    }

    /// Functions that shorten the list do not leave the newcomer alone in it.
    @Test(arguments: [["byLoad", "byLogWindow"], ["byLoad", "byLogWindow", "byRandom"], ["byLogWindow", "byLoad"]])
    func withFunctionsThatLeaveOne(chain: [String]) throws {
        let found = try shares([60_000, 60_000, 2000], chain, loads: [5000, 6000, 0])
        let share = chain[0] == "byLoad" ? 0.2 : 0
        #expect(isNear(found, [1 - share, 0, share]), "\(found)")
    }

    @Test func byRandomIsFairButForTheNewcomer() throws {
        let found = try shares([60_000, 60_000, 2000], ["byRandom"])
        // It is first if it is not held back (0.2) and drawn (1/3).
        #expect(isNear(found, [0.4667, 0.4667, 0.0667]), "\(found)")
    }

    /// After a balancer's own start all have just come, one after the other.
    @Test(arguments: [[100, 100, 100], [1000, 1000, 1000]] as [[UInt64]])
    func whoHaveComeTogetherAreEqual(times: [UInt64]) throws {
        let found = try shares(times, ["byLoad"], loads: [3000, 2000, 1000])
        #expect(isNear(found, [0, 0, 1]), "\(found)")
    }

    @Test func afterABalancersStartSharesAreEqualSoon() throws {
        let found = try shares([5000, 4600], ["byLoad"], loads: [2000, 1000])
        #expect(isNear(found, [0.08, 0.92]), "\(found)")
    }

    @Test func onlyThoseThatTheChainHasLeftCount() throws {
        // Self has been there longest, but is no candidate.
        let found = try shares([60_000, 1000, 1000], ["removeSelf", "byLoad"], loads: [0, 2000, 1000])
        #expect(isNear(found, [0, 0, 1]), "\(found)")
    }

    @Test func zeroIsOff() throws {
        #expect(isNear(try shares([60_000, 0], ["byLoad"], loads: [5000, 0], slowStart: 0), [0, 1]))
    }

    @Test func nobodyIsDropped() throws {
        let table = FakeTable(count: 4)
        for id in 1..<4 as Range<UInt32> {
            bh_word_store(&bh_segment_row_mutable(table.segment, id).pointee.came_ms, FakeTable.now - UInt64(id) * 10)
        }
        let steps = try Chain([])
        let workspace = GuardedMemory(table.workspaceSize(steps))
        var decision = bh_decision_t()
        for seed in 0..<100 as Range<UInt64> {
            var request = FakeTable.request(seed: seed)
            request.slow_start_ms = 3_600_000
            #expect(BackhandCandidacy.decide(table.segment, steps.steps, &request, workspace.inner, &decision) == BH_OK)
            #expect(Set(Outcome(BH_OK, decision, steps: 0).ids) == [0, 1, 2, 3])
        }
        #expect(workspace.isIntact)
    }

    /// Rows may hold anything.
    @Test func timesThatCannotBe() throws {
        let table = FakeTable(count: 3)
        bh_word_store(&bh_segment_row_mutable(table.segment, 1).pointee.came_ms, .max)
        let steps = try Chain(["byRandom"])
        let workspace = GuardedMemory(table.workspaceSize(steps))
        var (decision, request) = (bh_decision_t(), FakeTable.request())
        request.slow_start_ms = .max
        #expect(BackhandCandidacy.decide(table.segment, steps.steps, &request, workspace.inner, &decision) == BH_OK)
        #expect(decision.count == 3)
    }
}
