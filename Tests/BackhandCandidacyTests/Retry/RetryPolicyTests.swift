// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

/// What a row says of a candidate before it is asked, and whether it is passed over.
struct Hopeless {
    var own = false
    var asksSelf = false
    var others: [Int32] = [2]
    var afterFailure = false
    var lastResort = false
    var backoff = FakeTable.now + 500
    var isPassedOver: Bool
}

@Suite struct RetryPolicyTests {
    @Test func theFirstCandidateIsAskedWithoutTheTime() {
        let dispatch = FakeDispatch().decide([3, 4])
        #expect(!bh_retry_needs_time(dispatch.retry, false))
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.attempt.in_time && dispatch.attempt.may_retry && !dispatch.attempt.new_connection)
    }

    @Test func candidatesGetTheirTurnThenTheChainRunsAgain() {
        let dispatch = FakeDispatch().decide([3, 4])
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.fail(3) == "next")
        #expect(dispatch.next() == "ask 4")
        #expect(dispatch.fail(4) == "next")
        #expect(dispatch.next() == "decide")
        #expect(dispatch.tried == [3, 4])
        #expect(dispatch.decide([5]).next() == "ask 5")
        #expect(dispatch.fail(5) == "next")
        #expect(dispatch.next() == "decide")
        #expect(dispatch.decide([]).next() == "give up")
        #expect(dispatch.next() == "give up")
    }

    /// A candidate that the caller cannot ask (its row is being written, or it is too late for it) leaves no trace.
    @Test func aCandidateThatIsNotAskedIsNoFailure() {
        let dispatch = FakeDispatch().decide([3, 4])
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.next() == "ask 4")
        #expect(dispatch.next() == "no candidate")
        #expect(dispatch.tried == [])
    }

    @Test func theChainRunsEightTimesAtMost() {
        let dispatch = FakeDispatch(16).decide([1])
        var runs = 1
        for id in 1..<UInt32(16) {
            #expect(dispatch.next() == "ask \(id)")
            #expect(dispatch.fail(id) == "next")
            guard dispatch.next() == "decide" else { break }
            runs += 1
            dispatch.decide([Int32(id) + 1])
        }
        #expect(runs == 8)
        #expect(dispatch.next() == "give up")
    }

    /// The time counts from the first attempt that failed. A late request may still be redirected or served here, but
    /// is not forwarded.
    @Test(arguments: [(1999, true), (2000, false), (9000, false)])
    func itMayBeTooLate(milliseconds: UInt64, isInTime: Bool) {
        let dispatch = FakeDispatch(seconds: 2).decide([3, 4])
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.attempt.in_time)
        _ = dispatch.fail(3, milliseconds: milliseconds)
        #expect(dispatch.next() == "ask 4")
        #expect(dispatch.attempt.in_time == isInTime)
        #expect(dispatch.next() == (isInTime ? "decide" : "give up"))
    }

    /// Requests before the first failure are never late, however long the client took.
    @Test func aFirstAttemptIsInTime() {
        let dispatch = FakeDispatch(seconds: 1).decide([3])
        dispatch.now += 60_000_000
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.attempt.in_time && dispatch.attempt.may_retry)
    }

    @Test(
        arguments: [
            (true, 2, 0, 0, true), (true, 2, 1, 0, true), (true, 2, 2, 0, false), (true, 0, 0, 0, false),
            (true, 2, 1, 30_000, false),
            (false, 2, 0, 0, false),
        ] as [(Bool, UInt32, UInt32, UInt64, Bool)])
    func anotherServerMayHaveIt(repeatable: Bool, retries: UInt32, failed: UInt32, milliseconds: UInt64, mayRetry: Bool)
    {
        let dispatch = FakeDispatch(repeatable: repeatable, retries: retries).decide([3, 4, 5])
        #expect(dispatch.next() == "ask 3")
        for id in 0..<failed {
            _ = dispatch.fail(3 + id, BH_OUTCOME_FAILED, milliseconds: milliseconds)
            #expect(dispatch.next() == "ask \(4 + id)")
        }
        #expect(dispatch.attempt.may_retry == mayRetry)
    }

    /// A refused connection is not a failure: the request has not reached the server.
    @Test func refusalsAreNoRetries() {
        let dispatch = FakeDispatch(retries: 1).decide([1, 2, 3, 4])
        for id in 1...UInt32(3) {
            #expect(dispatch.next() == "ask \(id)")
            _ = dispatch.fail(id)
        }
        #expect(dispatch.next() == "ask 4")
        #expect(dispatch.attempt.may_retry)
    }

    @Test(
        arguments: [(0, 0, false), (1, 0, false), (2, 0, true), (2, 1, false), (3, 1, true)] as [(UInt32, UInt32, Bool)]
    )
    func theChainWasFree(choices: UInt32, place: UInt32, isFree: Bool) {
        let dispatch = FakeDispatch().decide([3, 4], choices: choices)
        for _ in 0...place { #expect(dispatch.next().hasPrefix("ask")) }
        #expect(dispatch.attempt.place == place)
        #expect(dispatch.attempt.free == isFree)
    }

    @Test(arguments: [
        (BH_OUTCOME_FAILED, true, true), (BH_OUTCOME_FAILED, false, false), (BH_OUTCOME_REFUSED, true, false),
    ])
    func afterAClosedReusedConnectionOthersAreNew(outcome: bh_outcome_t, closedReused: Bool, isNew: Bool) {
        let dispatch = FakeDispatch().decide([3, 4])
        #expect(dispatch.next() == "ask 3")
        _ = dispatch.fail(3, outcome, closedReused: closedReused)
        #expect(dispatch.next() == "ask 4")
        #expect(dispatch.attempt.new_connection == isNew)
    }
}

/// What the table says meanwhile.
@Suite struct RetryTableTests {
    @Test func aChainThatLeavesNoServer() {
        let dispatch = FakeDispatch().decide([])
        #expect(dispatch.next() == "no candidate")
        // Served over the network at this server's announced address, which failed.
        #expect(dispatch.fail(0, BH_OUTCOME_FAILED) == "next")
        #expect(dispatch.next() == "decide")
        #expect(dispatch.decide([]).next() == "give up")
    }

    @Test func aCandidateThatTakesNoMoreRequestsIsPassedOver() {
        let dispatch = FakeDispatch().decide([3, 4])
        bh_half_store(&dispatch.row(3).pointee.state, BH_STATE_SHUTDOWN.rawValue)
        #expect(dispatch.next() == "ask 4")
        #expect(dispatch.attempt.place == 1)
    }

    /// The chain runs again, because it may leave others. If it never does, no server was asked.
    @Test func allCandidatesAreOutdated() {
        let dispatch = FakeDispatch().decide([3])
        bh_word_store(&dispatch.row(3).pointee.heard_ms, 0)
        for _ in 1..<8 {
            #expect(dispatch.next() == "decide")
            dispatch.decide([3])
        }
        #expect(dispatch.next() == "no candidate")
        #expect(dispatch.next() == "give up")
        let empty = FakeDispatch().decide([3])
        bh_word_store(&empty.row(3).pointee.heard_ms, 0)
        #expect(empty.next() == "decide")
        #expect(empty.decide([]).next() == "no candidate")
        #expect(empty.next() == "give up")
    }

    @Test(arguments: [
        // Found silent by another request while this one was at a server.
        Hopeless(afterFailure: true, isPassedOver: true), Hopeless(isPassedOver: false),
        Hopeless(afterFailure: true, lastResort: true, isPassedOver: false),
        Hopeless(afterFailure: true, backoff: FakeTable.now, isPassedOver: false),
        Hopeless(afterFailure: true, backoff: 0, isPassedOver: false),
        // This server, which no chain leaves out: only where it is asked over the network, and there is another one.
        Hopeless(own: true, asksSelf: true, isPassedOver: true),
        Hopeless(own: true, asksSelf: true, others: [], isPassedOver: false),
        Hopeless(own: true, isPassedOver: false), Hopeless(own: true, afterFailure: true, isPassedOver: false),
    ])
    func aHopelessCandidateIsPassedOver(_ look: Hopeless) {
        let id: UInt32 = look.own ? 0 : 1
        let dispatch = FakeDispatch(asksSelf: look.asksSelf)
        if look.afterFailure {
            #expect(dispatch.decide([5, Int32(id)] + look.others, lastResort: look.lastResort).next() == "ask 5")
            #expect(dispatch.fail(5) == "next")
        } else {
            dispatch.decide([Int32(id)] + look.others, lastResort: look.lastResort)
        }
        bh_word_store(&dispatch.row(id).pointee.backoff_until_ms, look.backoff)
        #expect(dispatch.next() == (look.isPassedOver ? "ask 2" : "ask \(id)"))
    }

    /// All were found silent: that is no new decision, the chain has left nothing.
    @Test func hopelessCandidatesAreNotOutdated() {
        let dispatch = FakeDispatch(asksSelf: true).decide([0, 0])
        bh_word_store(&dispatch.row(0).pointee.backoff_until_ms, FakeTable.now + 500)
        #expect(dispatch.next() == "no candidate")
    }

    /// There is no other run: the caller could not run the chain.
    @Test func withoutAChainTheRoundsEnd() {
        let dispatch = FakeDispatch()
        bh_retry_end_rounds(dispatch.retry)
        #expect(dispatch.next() == "no candidate")
        #expect(dispatch.next() == "give up")
        let failed = FakeDispatch().decide([3])
        #expect(failed.next() == "ask 3")
        #expect(failed.fail(3) == "next")
        #expect(failed.next() == "decide")
        bh_retry_end_rounds(failed.retry)
        #expect(failed.next() == "give up")
    }
}

/// A first candidate that is in doubt: one request probes whether it works again.
@Suite struct RetryProbeTests {
    private func doubtful(_ id: UInt32, _ dispatch: FakeDispatch) {
        _ = bh_doubt_begin(dispatch.row(id), 1, BH_DOUBT_FAILING.rawValue, FakeTable.now)
    }

    @Test func oneRequestLooks() {
        let dispatch = FakeDispatch()
        doubtful(3, dispatch)
        #expect(dispatch.decide([3, 4], probe: true).next() == "ask 3")
        // Meanwhile other requests decide again, without it.
        let other = FakeDispatch()
        doubtful(3, other)
        #expect(bh_probe_claim(other.row(3), 1, FakeTable.now, true))
        #expect(other.decide([3, 4], probe: true).next() == "decide")
        #expect(other.decide([4, 3]).next() == "ask 4")
        #expect(other.tried == [])
    }

    /// The second may be another such server, and each probe is claimed. The probe alone is no reason to serve the
    /// request here.
    @Test func onlyTheFirstIsAsked() {
        let dispatch = FakeDispatch()
        doubtful(3, dispatch)
        #expect(dispatch.decide([3, 4], probe: true).next() == "ask 3")
        #expect(dispatch.next() == "decide")
    }

    @Test func whatStandsAgainstThisServerStandsInRow0() {
        let dispatch = FakeDispatch()
        bh_half_store(&dispatch.row(2).pointee.own, 1)
        doubtful(0, dispatch)
        #expect(dispatch.decide([2, 4], probe: true).next() == "ask 2")
        #expect(!bh_probe_is_due(bh_row_evidence(dispatch.row(0), 1), FakeTable.now, true))
        #expect(bh_probe_is_due(bh_row_evidence(dispatch.row(2), 1), FakeTable.now, true))
    }

    /// Only after half a minute without a repeatable request.
    @Test(arguments: [(29_999, "decide"), (30_000, "ask 3")])
    func whatCannotBeSentTwiceSeldomLooks(milliseconds: UInt64, action: String) {
        let dispatch = FakeDispatch(repeatable: false)
        doubtful(3, dispatch)
        dispatch.now += milliseconds * 1000
        #expect(dispatch.decide([3, 4], probe: true).next() == action)
    }

    /// Whatever the table says, the request is not sent round for ever.
    @Test func claimsEnd() {
        let dispatch = FakeDispatch()
        doubtful(3, dispatch)
        #expect(bh_probe_claim(dispatch.row(3), 1, FakeTable.now, true))
        dispatch.decide([3], probe: true)
        for _ in 0..<32 { #expect(dispatch.next() == "decide") }
        #expect(dispatch.next() == "ask 3")
    }

    @Test func aClaimMayLeaveNoServer() {
        let dispatch = FakeDispatch()
        doubtful(3, dispatch)
        #expect(bh_probe_claim(dispatch.row(3), 1, FakeTable.now, true))
        #expect(dispatch.decide([3], probe: true).next() == "decide")
        #expect(dispatch.decide([]).next() == "no candidate")
    }
}
