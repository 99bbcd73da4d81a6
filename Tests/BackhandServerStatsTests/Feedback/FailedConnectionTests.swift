// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Glibc
import Testing

@Suite struct FailedConnectionTests {
    private func failed(_ code: Int32, took: UInt64 = 1000, hasBody: Bool = false) -> FailedConnection {
        var shown = bh_result_t()
        (shown.began_us, shown.ended_us, shown.has_body) = (5, 5 + took, hasBody)
        return FailedConnection(shown) { milliseconds in
            #expect(milliseconds == 200)
            return code
        }
    }

    @Test func whatTookLongHasWaitedForTheServer() {
        #expect(failed(EMFILE, took: 1_000_001).code == ETIMEDOUT && failed(EMFILE, took: 1_000_000).code == EMFILE)
    }

    @Test func aBodyThatWasWaitedForIsNoReason() {
        #expect(failed(ETIMEDOUT, hasBody: true).why == 0 && failed(ETIMEDOUT).why == ETIMEDOUT)
        #expect(failed(ECONNREFUSED, hasBody: true).why == ECONNREFUSED)
    }

    @Test(arguments: [
        (Int32(0), false, false, true, false, BH_OUTCOME_REFUSED), (0, true, false, false, false, BH_OUTCOME_REFUSED),
        (ECONNREFUSED, false, false, false, false, BH_OUTCOME_REFUSED),
        (EMFILE, false, true, false, true, BH_OUTCOME_STARVED),
        (EADDRNOTAVAIL, false, true, false, true, BH_OUTCOME_REFUSED),
    ])
    func itsMeaning(
        _ code: Int32, isLookedUp: Bool, isShortage: Bool, reached: Bool, lacks: Bool, outcome: bh_outcome_t
    ) {
        var shown = bh_result_t()
        shown.outcome = BH_OUTCOME_REFUSED
        failed(code).note(in: &shown, isLookedUp: isLookedUp, isShortage: isShortage)
        #expect(shown.reached == reached && shown.lacks == lacks && shown.outcome == outcome)
    }
}
