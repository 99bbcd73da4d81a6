// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

/// How an attempt ended, and what it means for the request.
struct Ending {
    var outcome: bh_outcome_t
    var repeatable = true
    var action: String
    var failures: UInt32 = 0
    var unknown: UInt32 = 0
    var isRemembered = true
}

@Suite struct FailedAttemptTests {
    @Test(arguments: [
        Ending(outcome: BH_OUTCOME_ANSWERED, action: "answer", isRemembered: false),
        Ending(outcome: BH_OUTCOME_REFUSED, action: "next"),
        Ending(outcome: BH_OUTCOME_REFUSED, repeatable: false, action: "next"),
        Ending(outcome: BH_OUTCOME_UNKNOWN, action: "next", unknown: 1),
        Ending(outcome: BH_OUTCOME_UNKNOWN, repeatable: false, action: "next", unknown: 1),
        Ending(outcome: BH_OUTCOME_FAILED, action: "next", failures: 1),
        // The request is repeatable, but as many servers have failed it as may.
        Ending(outcome: BH_OUTCOME_NO_RETRY, action: "give up", failures: 1),
        // It may have had its effect: the client gets what there is.
        Ending(outcome: BH_OUTCOME_NO_RETRY, repeatable: false, action: "answer", isRemembered: false),
    ])
    func anEndMeans(_ ending: Ending) {
        let dispatch = FakeDispatch(repeatable: ending.repeatable).decide([3, 4])
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.fail(3, ending.outcome) == ending.action)
        #expect(dispatch.retry.pointee.failures == ending.failures)
        #expect(dispatch.retry.pointee.unknown == ending.unknown)
        #expect(dispatch.retry.pointee.lacked == 0)
        #expect(dispatch.tried == (ending.isRemembered ? [3] : []))
    }

    @Test func aProcessThatLacksDescriptorsWaitsOnce() {
        let dispatch = FakeDispatch(retries: 1).decide([3, 4], choices: 2)
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.fail(3, BH_OUTCOME_STARVED) == "wait")
        #expect(dispatch.fail(3, BH_OUTCOME_STARVED, milliseconds: 1500, recovered: true) == "ask 3")
        #expect(dispatch.attempt.may_retry && dispatch.attempt.free)
        #expect(dispatch.retry.pointee.lacked == 0)
        // Again: it does not wait a second time.
        #expect(dispatch.fail(3, BH_OUTCOME_STARVED) == "give up")
        #expect(dispatch.retry.pointee.lacked == 1)
        #expect(dispatch.tried == [])
    }

    @Test func itWaitsInVain() {
        let dispatch = FakeDispatch().decide([3, 4])
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.fail(3, BH_OUTCOME_STARVED) == "wait")
        #expect(dispatch.fail(3, BH_OUTCOME_STARVED) == "give up")
        #expect(dispatch.retry.pointee.lacked == 1)
    }

    /// While it waited, the time for other servers may have run out.
    @Test func aWaitTakesTime() {
        let dispatch = FakeDispatch(seconds: 2).decide([3, 4])
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.fail(3, milliseconds: 1000) == "next")
        #expect(dispatch.next() == "ask 4")
        #expect(dispatch.attempt.may_retry)
        #expect(dispatch.fail(4, BH_OUTCOME_STARVED) == "wait")
        #expect(dispatch.fail(4, BH_OUTCOME_STARVED, milliseconds: 1000, recovered: true) == "ask 4")
        #expect(!dispatch.attempt.may_retry)
    }

    /// Lacking something for one server alone is no reason to stop.
    @Test func whatIsLackedIsCounted() {
        let dispatch = FakeDispatch().decide([3, 4])
        #expect(dispatch.next() == "ask 3")
        #expect(dispatch.fail(3, lacks: true) == "next")
        #expect(dispatch.retry.pointee.lacked == 1)
        #expect(dispatch.next() == "ask 4")
    }

    @Test func thirtyTwoServersAreRemembered() {
        let dispatch = FakeDispatch(40).decide(Array(1..<40))
        for id in UInt32(1)..<40 {
            #expect(dispatch.next() == "ask \(id)")
            #expect(
                dispatch.fail(id, id == 39 ? BH_OUTCOME_FAILED : BH_OUTCOME_REFUSED, closedReused: id == 39) == "next")
        }
        #expect(dispatch.tried == Array(1...32))
        #expect(dispatch.next() == "decide")
    }
}
