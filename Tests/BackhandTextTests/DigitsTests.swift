// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

private let huge = "99999999999999999999999999"

/// Hands the bytes of a text to the body, in memory of just its size.
private func withWord<Result>(_ text: String, _ body: (Word) -> Result) -> Result {
    Array(text.utf8).withUnsafeBufferPointer { body(Word($0)) }
}

@Suite struct DigitsTests {
    @Test(
        arguments: [
            ("0", 0), ("9", 9), ("42", 42), ("007", 7), ("18446744073709551615", .max), ("18446744073709551616", .max),
            (huge, .max),
        ] as [(String, UInt64)])
    func areANumber(text: String, expected: UInt64) {
        var digits = Digits()
        for byte in text.utf8 {
            let isTaken = digits.take(byte)
            #expect(isTaken)
        }
        #expect(digits.value == expected)
        #expect(digits.count == text.utf8.count)
    }

    @Test(arguments: [UInt8](0...255).filter { $0 < 0x30 || $0 > 0x39 })
    func nothingElseIsTaken(byte: UInt8) {
        var digits = Digits()
        _ = digits.take(UInt8(ascii: "7"))
        let isTaken = digits.take(byte)
        #expect(!isTaken)
        #expect(digits.value == 7)
        #expect(digits.count == 1)
    }
}

@Suite struct ScannerNumberTests {
    @Test(
        arguments: [
            ("12.345", 12345), ("0.5", 500), ("3", 3000), ("3.", 3000), ("1.9999", 1999), ("0." + huge, 999),
            (huge, .max), (huge + ".1", .max),
            ("", nil), (".5", nil), ("-1", nil), ("x", nil),
        ] as [(String, UInt64?)])
    func thousandths(text: String, expected: UInt64?) {
        withWord(text) { word in
            var scanner = Scanner(word.bytes)
            #expect(scanner.thousandths() == expected)
            #expect(expected == nil || scanner.isAtEnd)
        }
    }

    @Test(
        arguments: [
            ("1.25 rest", 2, 125, 2, 0), ("1.256", 2, 125, 2, 1), ("1.2", 2, 12, 1, 0), ("1.", 2, 1, 0, 0),
            ("1", 2, 1, nil, 0), ("1.2", 0, 1, nil, 0),
        ] as [(String, Int, UInt64, Int?, Int)])
    func decimals(text: String, places: Int, value: UInt64, found: Int?, skipped: Int) {
        withWord(text) { word in
            var scanner = Scanner(word.bytes)
            let number = scanner.decimal(places: places)
            #expect(number?.value == value)
            #expect(number?.places == found)
            #expect(number?.skipped == skipped)
        }
    }
}

@Suite struct NumberRuleTests {
    @Test(
        arguments: [
            ("1", 1), ("60", 60), ("0060", 60), ("0", nil), ("61", nil), ("", nil), ("+1", nil), ("-1", nil),
            (" 1", nil), ("1 ", nil), ("1s", nil),
            ("0x1", nil), ("1.0", nil), (huge, nil), ("1\0", nil),
        ] as [(String, UInt64?)])
    func whole(text: String, expected: UInt64?) {
        #expect(withWord(text) { NumberRule(what: "a number", from: 1, through: 60).read($0) } == expected)
    }

    @Test(
        arguments: [
            ("0.001", 1), ("1", 1000), ("1.5", 1500), ("60.000", 60_000), ("0", nil), ("0.0004", nil), ("60.001", nil),
            ("1.", nil), (".5", nil), ("1.5.5", nil),
            ("000000000000001", 1000), ("0000000000000001", nil),
        ] as [(String, UInt64?)])
    func thousandths(text: String, expected: UInt64?) {
        #expect(
            withWord(text) { NumberRule(what: "a number", decimals: 3, above: 0, from: 0, through: 60).read($0) }
                == expected)
    }

    @Test func theLargestRange() {
        let rule = NumberRule(what: "a number", from: 0, through: .max)
        #expect(withWord("4294967295") { rule.read($0) } == 4_294_967_295)
        #expect(withWord("4294967296") { rule.read($0) } == nil)
    }

    @Test func saysWhichNumbersItTakes() {
        let rule = NumberRule(what: "a number of seconds", from: 1, through: 60)
        let error = #expect(throws: ConfigurationError.self) {
            try "1\u{1}h".withCString { _ = try rule.parse(Word($0)) }
        }
        #expect(error?.text == "'1?h' is not a number of seconds from 1 to 60")
        let above = NumberRule(what: "a load", decimals: 3, above: 0, from: 0, through: 60)
        let other = #expect(throws: ConfigurationError.self) { try "0".withCString { _ = try above.parse(Word($0)) } }
        #expect(other?.text == "'0' is not a load above 0 to 60")
    }
}
