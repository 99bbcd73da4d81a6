// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

@Suite struct CheckStateTests {
    private static let fails = CheckResult(finding: BH_FINDING_STATUS, status: 500)

    /// rise 2, fall 3: "+" passes, "-" fails, "o" busy; the state after each: "u" works, "f" is failing.
    @Test(
        arguments: [
            (nil, "++---++", "uuuuffu"),
            // The first result counts at once; later ones do not.
            (nil, "-++--", "ffuuu"), (nil, "o-", "uf"), (nil, "+--+--", "uuuuuu"),
            // Busy ends a run, and begins none.
            (false, "--o--", "uuuuu"), (true, "+o++", "fffu"), (false, "ooooo", "uuuuu"),
            (true, "-+-++", "ffffu"), (false, "---", "uuf"),
        ] as [(Bool?, String, String)])
    func riseAndFall(before: Bool?, results: String, states: String) {
        var state = CheckState(isFailing: before)
        var found = ""
        for result in results {
            let was = state.isFailing
            let changed = state.note(
                result == "+" ? .passes : result == "o" ? .busy : Self.fails, rise: 2, fall: 3)
            #expect(changed == (state.isFailing != was))
            found += state.isFailing ? "f" : "u"
        }
        #expect(found == states)
    }

    @Test(
        arguments: [
            (0, nil), (1, nil), (2, nil),
            (BH_FINDING_STATUS.rawValue | 503 << 16, CheckResult(finding: BH_FINDING_STATUS, status: 503)),
            (BH_FINDING_TIMEOUT.rawValue | UInt32(BH_CHECK_FAILING), .timeout),
        ] as [(UInt32, CheckResult?)])
    func announced(word: UInt32, result: CheckResult?) { #expect(CheckResult(announced: word) == result) }

    @Test func whatSpeaksAgainstIt() {
        var state = CheckState(isFailing: nil)
        _ = state.note(.passes, rise: 2, fall: 2)
        #expect(state.last == nil && state.isKnown && !state.isBusy)
        _ = state.note(.timeout, rise: 2, fall: 2)
        #expect(state.last == .timeout && !state.isFailing)
        _ = state.note(.busy, rise: 2, fall: 2)
        #expect(state.isBusy && state.last == nil, "it works")
        _ = state.note(.passes, rise: 2, fall: 2)
        #expect(state.last == nil && !state.isBusy)
        for _ in 0..<2 { _ = state.note(.refused, rise: 2, fall: 2) }
        _ = state.note(.passes, rise: 2, fall: 2)
        #expect(state.isFailing && state.last == .refused, "until it works again")
        _ = state.note(.passes, rise: 2, fall: 2)
        #expect(!state.isFailing && state.last == nil)
    }
}
