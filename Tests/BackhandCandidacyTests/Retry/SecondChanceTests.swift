// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

/// How a server failed the request, what it has done since, and whether it is asked once more.
struct Chance {
    var outcome = BH_OUTCOME_FAILED
    /// Until it was known, milliseconds.
    var took: UInt64 = 0
    var held = false
    var closedReused = false
    var isRestarted = false
    var served: UInt64 = 0
    /// When it announced itself last, in milliseconds after it was asked.
    var heard: Int64 = -1
    /// Whether it is the first chance or a later one.
    var first: Bool
    var later: Bool
}

@Suite struct SecondChanceTests {
    @Test(arguments: [
        // Two chances for a reused connection that was closed; after the second one it has had the request.
        Chance(closedReused: true, first: true, later: false),
        Chance(first: false, later: false),
        Chance(held: true, first: false, later: false),
        // It does not know this httpd.
        Chance(outcome: BH_OUTCOME_UNKNOWN, first: true, later: false),
        // Another process answers now.
        Chance(isRestarted: true, first: true, later: true),
        Chance(outcome: BH_OUTCOME_REFUSED, isRestarted: true, first: true, later: true),
        // It has answered others since.
        Chance(served: 1, first: true, later: true),
        // It could not be reached, and has come back.
        Chance(outcome: BH_OUTCOME_REFUSED, heard: 0, first: false, later: false),
        Chance(outcome: BH_OUTCOME_REFUSED, heard: 1, first: true, later: false),
        // It was silent: its network may have been away, if it announced nothing either.
        Chance(took: 1000, heard: 0, first: false, later: false),
        Chance(took: 999, heard: 1500, first: false, later: false),
        Chance(took: 1000, heard: 1500, first: true, later: false),
        Chance(took: 1000, held: true, heard: 1500, first: false, later: false),
        // It hangs, and announces itself meanwhile.
        Chance(took: 1000, heard: 500, first: false, later: false),
    ])
    func aServerIsAskedOnceMore(_ chance: Chance) {
        #expect(isGranted(chance, earlier: 0) == chance.first)
        #expect(isGranted(chance, earlier: 1) == chance.later)
        #expect(isGranted(chance, earlier: 2) == chance.later)
        #expect(!isGranted(chance, earlier: 3), "three chances at most")
    }

    /// Whether the server gets a chance after so many of others. Its row says what it did since.
    private func isGranted(_ chance: Chance, earlier: UInt32) -> Bool {
        let dispatch = FakeDispatch(retries: 9).decide([3])
        dispatch.retry.pointee.chances = earlier
        let asked = dispatch.now / 1000
        #expect(dispatch.next() == "ask 3")
        // What it has said while it was asked is known when it has failed; what it says later, is not.
        let heard = UInt64(Int64(asked) + chance.heard)
        let isBefore = chance.heard < Int64(chance.took)
        bh_word_store(&dispatch.row(3).pointee.heard_ms, isBefore ? heard : asked - 1)
        #expect(
            dispatch.fail(
                3, chance.outcome, milliseconds: chance.took, held: chance.held, closedReused: chance.closedReused)
                == "next")
        bh_word_store(&dispatch.row(3).pointee.heard_ms, heard)
        if chance.isRestarted { dispatch.row(3).pointee.facts.boot_id = 7 }
        bh_word_store(&dispatch.row(3).pointee.served, chance.served)
        #expect(dispatch.next() == "decide")
        let action = dispatch.decide([]).next()
        #expect(action == "decide" || action == "give up")
        #expect(dispatch.tried == (action == "decide" ? [] : [3]))
        return action == "decide"
    }

    @Test func theOthersStayTried() {
        let dispatch = FakeDispatch(retries: 9).decide([3, 4, 5])
        for id in UInt32(3)...5 {
            #expect(dispatch.next() == "ask \(id)")
            _ = dispatch.fail(id, BH_OUTCOME_FAILED, closedReused: id == 4, bootID: UInt64(id))
            dispatch.row(id).pointee.facts.boot_id = UInt64(id)
        }
        #expect(dispatch.next() == "decide")
        #expect(dispatch.decide([]).next() == "decide")
        #expect(dispatch.tried == [3, 5])
        #expect(dispatch.decide([4]).next() == "ask 4")
        #expect(dispatch.attempt.new_connection, "over a new connection")
        // What is remembered of the others has moved with them.
        _ = dispatch.fail(4, BH_OUTCOME_FAILED, bootID: 4)
        dispatch.row(5).pointee.facts.boot_id = 6
        #expect(dispatch.next() == "decide")
        #expect(dispatch.decide([]).next() == "decide")
        #expect(dispatch.tried == [3, 4])
    }

    @Test(
        arguments: [(true, 0, "decide"), (false, 0, "give up"), (true, 30_000, "give up")] as [(Bool, UInt64, String)])
    func onlyInTimeAndIfRepeatable(repeatable: Bool, milliseconds: UInt64, action: String) {
        let dispatch = FakeDispatch(repeatable: repeatable).decide([3])
        #expect(dispatch.next() == "ask 3")
        _ = dispatch.fail(3, BH_OUTCOME_UNKNOWN)
        #expect(dispatch.next() == "decide")
        dispatch.now += milliseconds * 1000
        #expect(dispatch.decide([]).next() == action)
    }

    /// The chain need not leave a server that has a chance; and what it leaves may take no requests.
    @Test func aChanceMayLeadNowhere() {
        let dispatch = FakeDispatch().decide([3])
        #expect(dispatch.next() == "ask 3")
        _ = dispatch.fail(3, BH_OUTCOME_UNKNOWN)
        #expect(dispatch.next() == "decide")
        #expect(dispatch.decide([]).next() == "decide")
        #expect(dispatch.tried == [])
        #expect(dispatch.decide([]).next() == "give up", "no server was tried, but one had its chance")
    }
}
