// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

/// Decisions among servers that the configuration names.
@Suite struct MembersTests {
    private let unheard = FakeServer(heard: 0)

    private func named(_ rows: UInt32..., weight: UInt32 = 100) -> [bh_member_t] {
        rows.map { bh_member_t(row: $0, weight: weight) }
    }

    private func table(_ servers: [FakeServer], members: [UInt32]) -> FakeTable {
        let table = FakeTable(servers)
        for id in members { bh_segment_row_mutable(table.segment, id).pointee.member = 1 }
        return table
    }

    @Test func areTheOnlyCandidatesInTheirOrder() throws {
        let table = table([FakeServer(), FakeServer(), unheard, FakeServer(), unheard], members: [2, 3])
        #expect(table.decide(try Chain(["byAge 6"]), members: named(3, 2)).ids == [3, 2])
    }

    /// Elsewhere they are not there.
    @Test func areNoCandidatesOfOtherChains() throws {
        let table = table([FakeServer(), FakeServer(), unheard], members: [1, 2])
        #expect(try table.decide(["byAge 6"]).ids == [0, 1])
    }

    @Test(arguments: ["byAge 6", "default", "byHealth", "byLeastTime", "byForecast"])
    func neverHeardStays(line: String) throws {
        let table = table([FakeServer(), unheard, FakeServer(heard: FakeTable.now - 60_000)], members: [1, 2])
        let ids = table.decide(try Chain([line]), members: named(1, 2)).ids
        #expect(Set(ids) == (["byAge 6", "default"].contains(line) ? [1] : [1, 2]))
    }

    /// It has announced something, and its moderator has expired it: it is as old as it is.
    @Test(arguments: ["byAge 6", "default", "byAge 100", "byHealth"])
    func silentOnesHaveAnAge(line: String) throws {
        let table = table([FakeServer(), unheard, unheard], members: [1, 2])
        bh_word_store(&bh_segment_row_mutable(table.segment, 2).pointee.first_heard_ms, FakeTable.now - 61_000)
        let chain = try Chain([line])
        let stays = !["byAge 6", "default"].contains(line)
        #expect(Set(table.decide(chain, members: named(1, 2)).ids) == (stays ? [1, 2] : [1]))
        let alone = table.decide(chain, members: named(2))
        #expect(alone.ids == (line == "byAge 6" ? [] : [2]) && alone.lastResort == (line == "default"))
    }

    /// Then it may be the network that is silent. Of servers that no configuration names, none is asked.
    @Test func silentOnesAreTheLastResort() throws {
        let silent = FakeServer(heard: FakeTable.now - 60_000)
        let table = table([silent, silent, silent, silent], members: [1, 2])
        let chain = try Chain(["default"])
        let decided = table.decide(chain, members: named(1, 2))
        #expect(Set(decided.ids) == [1, 2] && decided.lastResort)
        #expect(table.decide(chain).ids == [])
    }

    /// What is not known is not zero.
    @Test(arguments: ["byLoad", "byCPU", "byCost", "byBusyChildren"])
    func functionsThatCompareAnnouncementsNeedAllOfThem(line: String) throws {
        let busy = FakeServer(load: 9000, cpu: 0, workers: 8, idleWorkers: 1)
        let table = table(
            [FakeServer(), busy, FakeServer(load: 1, cpu: 1000, workers: 8, idleWorkers: 8), unheard],
            members: [1, 2, 3])
        let chain = try Chain([line])
        #expect(table.decide(chain, members: named(1, 2)).ids == [2, 1])
        #expect(table.decide(chain, members: named(1, 2, 3)).ids == [1, 2, 3])
    }

    /// A server that announces nothing is known by what it pushes, as long as that is fresh.
    @Test func functionsThatCompareKnowWhatIsPushed() throws {
        let table = table([FakeServer(), FakeServer(load: 9000, cpu: 10), unheard], members: [1, 2])
        let state = bh_segment_state(table.segment, 2)
        table.segment.pointee.states = BH_STATES_PUSHED.rawValue
        let shown = bh_segment_public_mutable(table.segment, 2)
        (shown.pointee.load, shown.pointee.cpu) = (1000, 500)
        let answers = { (line: String, now: UInt64) in
            table.decide(try Chain([line]), now: now, members: self.named(1, 2)).ids
        }
        #expect(try answers("byLoad", FakeTable.now) == [1, 2])
        #expect(try answers("byResource load < 0.5", FakeTable.now) == [2], "it is not known")
        state.pointee.load_stamp = bh_stamp(FakeTable.now, false)
        #expect(try answers("byLoad", FakeTable.now) == [2, 1])
        #expect(try answers("byCPU", FakeTable.now) == [1, 2])
        #expect(try answers("byResource load < 0.5", FakeTable.now) == [])
        #expect(try answers("byResource cpu > 1000 || amem > 5", FakeTable.now) == [2])
        state.pointee.idle_stamp = bh_stamp(FakeTable.now, false)
        #expect(try answers("byCPU", FakeTable.now) == [2, 1])
        #expect(try answers("byCost", FakeTable.now) == [1, 2])
        #expect(try answers("byLoad", FakeTable.now + UInt64(BH_FRESH_MS) + 1) == [1, 2])
    }

    @Test func thisServerIsOneLikeTheOthers() throws {
        let table = table([FakeServer(own: true), FakeServer(own: true), unheard], members: [1, 2])
        #expect(table.decide(try Chain(["addSelf"]), members: named(1, 2)).ids == [1, 2])
    }

    @Test func thoseInBackoffComeBackIfThereIsNoOther() throws {
        let later = FakeTable.now + 1000
        let table = table(
            [FakeServer(), FakeServer(heard: 0, backoff: later, refused: 1), unheard], members: [1, 2])
        let chain = try Chain(["default"])
        #expect(table.decide(chain, members: named(1, 2)).ids == [2])
        #expect(table.decide(chain, tried: [2], members: named(1, 2)).ids == [1])
    }

    @Test func aRowThatIsNotThereIsPassedOver() throws {
        let table = table([FakeServer(), unheard], members: [1])
        #expect(table.decide(try Chain(["default"]), members: named(1, 7, 5000)).ids == [1])
    }

    /// Those that were never heard among them, and no server that is no member.
    @Test func loadedFunctionsMayListThem() throws {
        let table = table([FakeServer(), FakeServer(), unheard, unheard], members: [2, 3])
        let keep: bh_candidacy_fn = { _, _, count, _ in count.pointee }
        let add: bh_candidacy_fn = { _, servers, count, _ in
            servers[Int(count.pointee)].id = 1
            count.pointee += 1
            return count.pointee
        }
        let kept = table.decide(try Chain(["mine"], loaded: [0: keep]), members: named(2, 3))
        #expect(kept.ids == [2, 3] && kept.fault == 0)
        let added = table.decide(try Chain(["mine"], loaded: [0: add]), members: named(2, 3))
        #expect(added.ids == [2, 3] && added.fault == 0)
    }

    /// Twice the weight, as many requests there, half the cost: 4000 decisions, where nothing is known of times.
    @Test func weightCounts() throws {
        let table = table(
            [FakeServer(), FakeServer(heard: 0, inFlight: 2), FakeServer(heard: 0, inFlight: 1)], members: [1, 2])
        let chain = try Chain(["default"])
        let equal = named(1, 2), heavy = named(1, weight: 200) + named(2)
        #expect(table.decide(chain, members: equal).ids.first == 2)
        #expect(table.decide(chain, members: heavy).ids.first == 1)
    }
}
