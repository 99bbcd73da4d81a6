// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

struct BackoffTests {
    private let refusing = FakeServer(backoff: FakeTable.now + 1)
    private let fine = FakeServer()

    @Test func refusingServersAreLeftOut() throws {
        let outcome = try FakeTable([fine, refusing, fine, refusing]).decide(["byAge 6"])
        #expect(outcome.ids == [0, 2])
        #expect(outcome.counts == [2, 2])
        #expect(!outcome.lastResort)
    }

    @Test(
        arguments: [(0, true), (FakeTable.now, true), (FakeTable.now + 16_000, false), (.max, true)] as [(UInt64, Bool)]
    )
    func backoffEnds(until: UInt64, stays: Bool) throws {
        #expect(try FakeTable([fine, FakeServer(backoff: until)]).decide([]).ids == (stays ? [0, 1] : [0]))
    }

    @Test func selfIsNeverLeftOut() throws {
        let outcome = try FakeTable([refusing, refusing]).decide([])
        #expect(outcome.ids == [0])
        #expect(!outcome.lastResort)
    }

    @Test func nobodyElseIsTheLastResort() throws {
        let outcome = try FakeTable([fine, refusing, refusing]).decide(["removeSelf", "byLogWindow"])
        #expect(outcome.ids == [1])
        #expect(outcome.lastResort)
        #expect(outcome.counts == [3, 2, 1])
    }

    @Test func nobodyAtAllIsNoLastResort() throws {
        let old = FakeServer(heard: 1, backoff: FakeTable.now + 1)
        let outcome = try FakeTable([fine, old]).decide(["removeSelf", "byAge 6"])
        #expect(outcome.ids == [])
        #expect(!outcome.lastResort)
        #expect(outcome.counts == [2, 1, 0])
    }

    /// What has failed the request is no candidate again, not even as the last resort.
    @Test func triedServersAreNeverLeft() throws {
        let table = FakeTable([fine, fine, refusing, refusing])
        let first = table.decide(try Chain(["removeSelf"]), tried: [1])
        #expect(first.ids == [2, 3])
        #expect(first.lastResort)
        let second = table.decide(try Chain(["removeSelf", "byLogWindow"]), tried: [1, 2])
        #expect(second.ids == [3])
        #expect(table.decide(try Chain(["removeSelf"]), tried: [3, 2, 1]).ids == [])
        #expect(table.decide(try Chain(["removeSelf", "addSelf"]), tried: [3, 2, 1]).ids == [0])
    }

    /// What must not be done twice goes to others for two seconds after a back-off.
    @Test(
        arguments: [
            (FakeServer(backoff: FakeTable.now, refused: 1), 0, false),
            (FakeServer(backoff: FakeTable.now, refused: 1), 1999, false),
            (FakeServer(backoff: FakeTable.now, refused: 1), 2000, true),
            (FakeServer(backoff: FakeTable.now + 5000, refused: 1), 0, false),
            (FakeServer(backoff: FakeTable.now - 60_000, refused: 1), 0, true),  // refused long ago
            (FakeServer(backoff: .max, refused: 1), 0, true),  // nobody's back-off
        ] as [(FakeServer, UInt64, Bool)])
    func doubtfulServers(server: FakeServer, later: UInt64, stays: Bool) throws {
        let now = FakeTable.now + later
        let table = FakeTable([fine, fine, server])
        let outcome = table.decide(try Chain(["removeSelf"]), now: now, repeatable: false)
        #expect(outcome.ids == (stays ? [1, 2] : [1]))
        #expect(!outcome.lastResort)
        let refuses = server.backoff > now && server.backoff != .max
        #expect(table.decide(try Chain(["removeSelf"]), now: now).ids == (refuses ? [1] : [1, 2]))
    }

    /// A moment's doubt does not count for the panic floor: what fails all stays away.
    @Test func doubtIsNoPanic() throws {
        let broken = FakeServer(doubts: [BH_DOUBT_FAILING], time: 1)
        let doubtful = FakeServer(backoff: FakeTable.now, refused: 1, time: 1)
        let table = FakeTable([fine, broken, doubtful, doubtful, fine])
        #expect(table.decide(try Chain(["removeSelf", "byHealth"]), repeatable: false).ids == [4])
    }

    @Test func selfThatFailedIsNotAddedAgain() throws {
        let table = FakeTable([fine, fine])
        #expect(table.decide(try Chain(["removeSelf", "addSelf"]), tried: [1]).ids == [0])
        #expect(table.decide(try Chain(["removeSelf", "addSelf"]), tried: [0, 1]).ids == [])
    }

    /// They come before the last resort.
    @Test func ofDoubtfulServersAloneNoneIsLeftOut() throws {
        let doubtful = FakeServer(backoff: FakeTable.now, refused: 1)
        let table = FakeTable([fine, doubtful, refusing, doubtful, fine])
        bh_half_store(&bh_segment_row_mutable(table.segment, 4).pointee.state, BH_STATE_DRAINING.rawValue)
        let outcome = table.decide(try Chain(["removeSelf"]), repeatable: false)
        #expect(outcome.ids == [1, 3])
        #expect(!outcome.lastResort)
        let last = table.decide(try Chain(["removeSelf"]), tried: [1, 3], repeatable: false)
        #expect(last.ids == [2, 4])
        #expect(last.lastResort)
        #expect(
            FakeTable([doubtful, fine]).decide(try Chain([]), repeatable: false).ids == [0, 1], "self is never left out"
        )
    }

    @Test func addSelfSavesTheFirstRun() throws {
        let outcome = try FakeTable([fine, refusing]).decide(["removeSelf", "addSelf"])
        #expect(outcome.ids == [0])
        #expect(!outcome.lastResort)
    }
}
