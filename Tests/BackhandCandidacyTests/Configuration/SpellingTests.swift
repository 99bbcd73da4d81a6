// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import Testing

@testable import BackhandCandidacy

struct SpellingTests {
    @Test(arguments: [
        ("byLod", "byLoad"), ("byload", "byLoad"), ("BYLOAD", "byLoad"), ("byLaod", "byLoad"), ("bLoad", "byLoad"),
        ("byLoat", "byLoad"),
        ("byAges", "byAge"), ("byage", "byAge"), ("bycpu", "byCPU"), ("byCost2", "byCost"),
        ("removeself", "removeSelf"),
        ("remveSelf", "removeSelf"), ("addself", "addSelf"), ("byLogWindows", "byLogWindow"),
        ("byWindow", "byLogWindow"),
        ("byBusyChilds", "byBusyChildren"), ("byRandon", "byRandom"), ("Off", "off"), ("of", "off"),
    ])
    func suggestsTheNearest(wrong: String, near: String) {
        #expect(unknownFunction(wrong).text == "unknown candidacy function '\(wrong)'; did you mean \(near)?")
    }

    @Test(arguments: ["", "x", "zzz", "roundRobin", "backhand_off", String(repeating: "byLoad", count: 5)])
    func listsAllIfNothingIsNear(wrong: String) {
        let text = unknownFunction(wrong).text
        #expect(
            text == "unknown candidacy function '\(wrong)'; there are off, addSelf, removeSelf, byAge, byLoad, "
                + "byBusyChildren, byCPU, byLogWindow, byRandom, byCost, addPrediction, bySession, HTTPRedirectToIP, "
                + "HTTPRedirectToName, "
                + "byLeastTime, byForecast, bySample, default, byHealth, byResource; others are loaded by "
                + "BackhandFromSO"
        )
    }

    @Test func namesWhatLoadsByHostname() {
        #expect(unknownFunction("byState").text == "byState is called byHealth")
        #expect(
            unknownFunction("byHostname").text
                == "unknown candidacy function 'byHostname': it is not a built-in one, but is loaded: "
                + "BackhandFromSO modules/byHostname.so byHostname")
    }

    @Test(arguments: ["byload", "byLoad ", "BYLOAD", "off", "backhand_off", ""])
    func wordsMatchExactly(name: String) {
        #expect(throws: ConfigurationError.self) { try parseStep(name: name, argument: nil) }
    }

    @Test(arguments: [
        ("", "", 0), ("abc", "abc", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "abd", 1), ("abc", "acb", 1),
        ("abc", "bc", 1),
        ("kitten", "sitting", 3), ("ca", "abc", 3),
    ])
    func countsEdits(left: String, right: String, edits: Int) {
        #expect(editDistance(Array(left.utf8), Array(right.utf8)) == edits)
    }
}
