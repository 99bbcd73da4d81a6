// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import CBackhand
import Testing

@testable import BackhandCandidacy

struct ParseStepTests {
    /// The texts of the step are gone when this returns.
    private func parse(_ name: String, _ argument: String?) throws(ConfigurationError) -> bh_step_t {
        guard let argument else { return try parseStep(name: name, argument: nil) }
        return try parseStep(name: name, argument: argument)
    }

    private func complaint(_ name: String, _ argument: String?) -> String? {
        do throws(ConfigurationError) {
            _ = try parse(name, argument)
            return nil
        } catch {
            return error.text
        }
    }

    private static let names = [
        "addSelf", "removeSelf", "byAge", "byLoad", "byBusyChildren", "byCPU", "byLogWindow", "byRandom", "byCost",
        "addPrediction", "bySession", "HTTPRedirectToIP", "HTTPRedirectToName", "byLeastTime", "byForecast", "bySample",
        "default", "byHealth", "byResource",
    ]

    @Test func idsCountFromOneInOrder() throws {
        #expect(CandidacyFunction.lastID == Int32(Self.names.count))
        for (index, name) in Self.names.enumerated() {
            #expect(
                try parseStep(name: name, argument: name == "bySample" ? "2" : name == "byResource" ? "id > 0" : nil)
                    .function == Int32(index + 1))
            #expect(CandidacyFunction.of(id: Int32(index + 1)).map { "\($0.name)" } == name)
        }
        for id in [0, -1, CandidacyFunction.lastID + 1, .max, .min] { #expect(CandidacyFunction.of(id: id) == nil) }
    }

    @Test func keepsItsTexts() throws {
        let (name, argument) = (Array("byAge".utf8CString), Array("2.5".utf8CString))
        try name.withUnsafeBufferPointer { name in
            try argument.withUnsafeBufferPointer { argument in
                let step = try parseStep(name: name.baseAddress!, argument: argument.baseAddress)
                #expect(step.name == name.baseAddress && step.argument == argument.baseAddress && step.call == nil)
            }
        }
        #expect(try parseStep(name: "byAge", argument: nil).argument == nil)
    }

    @Test(
        arguments: [
            ("byAge", nil, 20_000), ("byAge", "6", 6000), ("byAge", "2.5", 2500), ("byAge", "0.001", 1),
            ("byAge", "86400", 86_400_000), ("byAge", "86400.000", 86_400_000), ("byAge", "007", 7000),
            ("byLoad", nil, 0), ("byLoad", "0", 0), ("byLoad", "0.5", 500), ("byLoad", "0.25", 250),
            ("byLoad", "1000", 1_000_000),
            ("byBusyChildren", nil, 0), ("byBusyChildren", "0", 0), ("byBusyChildren", "12", 12),
            ("byBusyChildren", "1000000", 1_000_000), ("byCost", nil, 0),
        ] as [(String, String?, Int32)])
    func readsNumbers(name: String, argument: String?, number: Int32) throws {
        #expect(try parse(name, argument).number == number)
    }

    private static let age = "is not a number of seconds above 0 to 86400"
    private static let load = "is not a load from 0 to 1000"
    private static let busy = "is not a whole number of workers from 0 to 1000000"

    @Test(arguments: [
        ("byAge", "0"), ("byAge", "0.000"), ("byAge", "-1"), ("byAge", "+1"), ("byAge", ""), ("byAge", "6s"),
        ("byAge", " 6"),
        ("byAge", "6 "), ("byAge", "."), ("byAge", "6."), ("byAge", ".5"), ("byAge", "1.2.3"), ("byAge", "1,5"),
        ("byAge", "1e3"),
        ("byAge", "0x10"), ("byAge", "nan"), ("byAge", "inf"), ("byAge", "86400.001"), ("byAge", "86401"),
        ("byAge", "2.5001"),
        ("byAge", "99999999999999999999999"), ("byAge", "4294967296"), ("byAge", "18446744073709551616"),
        ("byAge", "99999999999999.9"),
    ])
    func refusesBadAges(name: String, argument: String) {
        #expect(complaint(name, argument) == "byAge: '\(argument)' \(Self.age)")
    }

    @Test(arguments: ["-0.5", "1000.001", "1001", "much"])
    func refusesBadLoads(argument: String) {
        #expect(complaint("byLoad", argument) == "byLoad: '\(argument)' \(Self.load)")
    }

    @Test(arguments: ["1.5", "-1", "1000001", "4294967297", "x"])
    func refusesBadWorkers(argument: String) {
        #expect(complaint("byBusyChildren", argument) == "byBusyChildren: '\(argument)' \(Self.busy)")
    }

    @Test(arguments: [
        "addSelf", "removeSelf", "byCPU", "byLogWindow", "byRandom", "byCost", "addPrediction", "HTTPRedirectToIP",
    ])
    func refusesArgumentsThatNothingTakes(name: String) {
        #expect(complaint(name, "5") == "\(name) takes no argument, but was given '5'")
        #expect(complaint(name, "") == "\(name) takes no argument, but was given ''")
    }

    @Test(arguments: [
        "", " ", "a b", "a;b", "a,b", "a&b", "a\"", "SID=\t", "\u{7f}", "é", String(repeating: "x", count: 65),
    ])
    func refusesBadIdentifiers(argument: String) {
        #expect(
            complaint("bySession", argument)!.contains(
                "' is not an identifier of 1 to 64 printable characters without blanks"))
    }

    @Test(arguments: ["PHPSESSID=", "sid", "JSESSIONID=", "__Host-s=s:", String(repeating: "x", count: 64)])
    func takesIdentifiers(argument: String) throws {
        #expect(try parse("bySession", argument).number == 0)
    }

    @Test(arguments: [
        "", "%", "%%", "%S", "%-S", "%0S", "%00S", "%100S", "%-0H", "%2", "%-", "%2s", "%2h", "%2X", "%+2S", "%--2S",
        "% 2S", "%2S%",
        "a b", "www:80", "www/", "www@", "[::1]", "a\r\nb", "é", "%-2S.%-2H:8080",
    ])
    func refusesBadFormats(argument: String) {
        let text = complaint("HTTPRedirectToName", argument)
        let shown = argument.map { character in
            let isShown = character.isASCII && !character.isWhitespace || character == " "
            return isShown ? String(character) : String(repeating: "?", count: character.utf8.count)
        }
        #expect(
            text == "HTTPRedirectToName: '\(shown.joined())' is not "
                + "a format of letters, digits, '.', '-', '_' and %#S, %-#S, %#H, %-#H, where # is 1 to 99")
    }

    @Test(arguments: ["%-2S.%-2H", "%2S", "%1H", "%99S", "%02S", "www.example.com", "w_1-%-3S.x", "%1S%1S%1H"])
    func takesFormats(argument: String) throws {
        #expect(try parse("HTTPRedirectToName", argument).number == 0)
    }

    @Test func offIsTheCallersBusiness() {
        #expect(complaint("off", nil) == "off is not a function: it ends the chain and stands in none")
    }

    @Test func missingArgumentWithoutDefault() {
        let strict = CandidacyFunction("strict", .whole("a number of apples", from: 1, through: 9, otherwise: nil)) {
            _, _ in
        }
        #expect(throws: ConfigurationError.self) { () throws(ConfigurationError) in try strict.read(nil) }
        do throws(ConfigurationError) { _ = try strict.read(nil) } catch {
            #expect(error.text == "strict needs an argument: a number of apples from 1 to 9")
        }
    }

    @Test func quotesOnlyWhatIsPrintable() {
        #expect(complaint("byAge", "6\n\u{1}é\u{7f}") == "byAge: '6?????' \(Self.age)")
        let long = String(repeating: "9", count: 65)
        #expect(complaint("byAge", long) == "byAge: '\(long.dropLast())...' \(Self.age)")
        #expect(complaint(String(repeating: "x", count: 10_000), nil)!.utf8.count < Int(BH_ERROR_SIZE))
    }
}
