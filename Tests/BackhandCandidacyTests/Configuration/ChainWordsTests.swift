// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

@testable import BackhandCandidacy

@Suite struct ChainWordsTests {
    private func complaint(_ words: [StaticString]) -> String? {
        words.map { $0.characters }.withUnsafeBufferPointer { words in
            do throws(ConfigurationError) {
                try checkWords(words)
                return nil
            } catch {
                return error.text
            }
        }
    }

    @Test(
        arguments: [
            ([], "it needs a candidacy function and perhaps its argument, or off"),
            (["byLoad"], nil), (["byLoad", "0.5"], nil), (["nonsense", "byload"], nil), (["off"], nil),
            (["byAge", "byLoad"], "'byLoad' after 'byAge': each function needs a Backhand line of its own"),
            (["byAge", "6", "byLoad"], "'byLoad' after 'byAge': each function needs a Backhand line of its own"),
            (["off", "byLoad"], "'byLoad' after 'off': each function needs a Backhand line of its own"),
            (
                ["byResource", "load", ">", "1"],
                "byResource takes one argument, but got 3 words: put quotes around them: "
                    + "Backhand byResource \"load > 1\""
            ),
            (["off", "x"], "off takes no argument, but 'x' was given"),
            (["backhand_off", "x"], "backhand_off takes no argument, but 'x' was given"),
        ] as [([StaticString], String?)])
    func lines(words: [StaticString], expected: String?) {
        #expect(complaint(words) == expected)
    }

    @Test(
        arguments: [("off", true), ("backhand_off", true), ("Off", false), ("byAge", false)] as [(StaticString, Bool)])
    func ends(word: StaticString, expected: Bool) {
        #expect(endsChain(word.characters) == expected)
    }
}
