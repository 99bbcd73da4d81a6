// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandCandidacy

private let up = BH_STATE_UP.rawValue
private let draining = BH_STATE_DRAINING.rawValue
private let maintenance = BH_STATE_MAINTENANCE.rawValue
private let shutdown = BH_STATE_SHUTDOWN.rawValue

/// A table of servers with what they announce and what is ordered.
private func table(_ states: [(announced: UInt32, ordered: UInt32)]) -> FakeTable {
    let table = FakeTable(count: states.count)
    for (id, state) in states.enumerated() {
        let row = bh_segment_row_mutable(table.segment, UInt32(id))
        bh_half_store(&row.pointee.state, state.announced)
        bh_half_store(&row.pointee.ordered, state.ordered)
    }
    return table
}

@Suite struct StateTests {
    @Test(arguments: [draining, maintenance, shutdown, 77], [true, false])
    func whoIsNotUpIsNoCandidate(state: UInt32, announced: Bool) throws {
        let outcome = try table([(up, up), announced ? (state, up) : (up, state), (up, up)]).decide(["byLoad"])
        #expect(outcome.ids == [0, 2])
        #expect(outcome.counts == [2, 2])
    }

    @Test(
        arguments: [
            (draining, up, [1]), (shutdown, up, [1]), (up, draining, [1]), (maintenance, up, []), (up, maintenance, []),
            (shutdown, maintenance, []), (maintenance, draining, []),
        ] as [(UInt32, UInt32, [Int32])])
    func theLastResort(announced: UInt32, ordered: UInt32, left: [Int32]) throws {
        let outcome = try table([(up, up), (announced, ordered)]).decide(["removeSelf"])
        #expect(outcome.ids == left)
    }

    @Test func aDrainingSelfServesIfThereIsNobodyElse() throws {
        #expect(try table([(draining, up), (up, up)]).decide(["byLoad"]).ids == [1])
        #expect(try table([(draining, up), (up, up)]).decide(["addSelf"]).ids == [1])
        #expect(try table([(draining, up), (up, draining)]).decide([]).ids == [0, 1])
        #expect(try table([(draining, up), (maintenance, up)]).decide(["removeSelf", "addSelf"]).ids == [0])
        #expect(try table([(maintenance, up)]).decide(["addSelf"]).ids == [])
    }

    @Test func aLoadedFunctionCannotBringThemBack() throws {
        let call: bh_candidacy_fn = { _, servers, count, _ in
            servers[0].id = 1
            servers[1].id = 2
            servers[2].id = 0
            count.pointee = 3
            return 3
        }
        let chain = try Chain(["all"], loaded: [0: call])
        #expect(table([(up, up), (draining, up), (maintenance, up)]).decide(chain).ids == [0])
        #expect(table([(shutdown, up), (draining, up), (maintenance, up)]).decide(chain).ids == [1, 0])
    }
}

/// Ages count to the last round of a moderator that is late.
@Suite struct LateModeratorTests {
    @Test(arguments: [(0, false), (2999, true), (3000, true), (3001, false), (60_000, false)] as [(UInt64, Bool)])
    func agesCountToTheLastRound(late: UInt64, ages: Bool) throws {
        let heard = FakeTable.now - 7000
        let table = FakeTable([FakeServer(), FakeServer(heard: min(heard, FakeTable.now - late - 1))])
        bh_word_store(&table.segment.pointee.beat_ms, late == 0 ? 0 : FakeTable.now - late)
        let left = try table.decide(["byAge 6"]).ids
        #expect(left.contains(1) == !(ages || late == 0))
    }

    /// What was too old at the last round is too old now, and what was heard after it has no age.
    @Test func oldOnesStayOld() throws {
        let beat = FakeTable.now - 60_000
        let table = FakeTable([
            FakeServer(heard: beat), FakeServer(heard: beat - 6001), FakeServer(heard: beat + 10),
            FakeServer(heard: beat - 6000),
        ])
        bh_word_store(&table.segment.pointee.beat_ms, beat)
        #expect(try table.decide(["byAge 6"]).ids == [0, 2, 3])
    }

    /// While announcements are lost, ages count to the last time at which none were; and the greater delay counts.
    @Test(
        arguments: [(0, 7000, false), (3000, 7000, true), (3000, 9001, false), (900, 7000, false), (900, 6800, true)]
            as [(UInt64, UInt64, Bool)])
    func agesCountToTheLastSoundRound(deaf: UInt64, age: UInt64, stays: Bool) throws {
        let table = FakeTable([FakeServer(), FakeServer(heard: FakeTable.now - age)])
        bh_word_store(&table.segment.pointee.deaf_ms, deaf == 0 ? 0 : FakeTable.now - deaf)
        bh_word_store(&table.segment.pointee.beat_ms, FakeTable.now - 500)
        #expect(try table.decide(["byAge 6"]).ids == (stays ? [0, 1] : [0]))
        bh_word_store(&table.segment.pointee.beat_ms, FakeTable.now - 60_000)
        #expect(try table.decide(["byAge 6"]).ids == [0, 1])
    }

    /// A back-off ends when its time has come, whoever is late.
    @Test func backoffCountsRealTime() throws {
        let table = FakeTable([
            FakeServer(), FakeServer(backoff: FakeTable.now - 1), FakeServer(backoff: FakeTable.now + 1),
        ])
        bh_word_store(&table.segment.pointee.beat_ms, FakeTable.now - 60_000)
        #expect(try table.decide([]).ids == [0, 1])
    }
}
