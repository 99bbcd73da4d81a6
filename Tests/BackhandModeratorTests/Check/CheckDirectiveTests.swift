// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import Testing

@testable import BackhandModerator

/// What the check says while its texts are there, or why it is wrong.
private func parse<Result>(_ arguments: String, _ body: (bh_check_t) -> Result) throws -> Result {
    let text = Array(arguments.utf8)
    var room = [UInt8](repeating: 0xee, count: text.count + 1)
    return try room.withUnsafeMutableBufferPointer { room in
        try text.withUnsafeBufferPointer { text in
            let end = try splitWords(Word(text), into: room)
            return body(try parseCheck(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(room)[..<end])))
        }
    }
}

@Suite struct CheckDirectiveTests {
    @Test func defaults() throws {
        try parse("/health") { check in
            #expect(String(cString: check.path!) == "/health" && String(cString: check.expect!) == "200-399")
            #expect(check.host == nil && check.text == nil)
            #expect([check.interval_ms, check.timeout_ms, check.rise, check.fall] == [1000, 2000, 2, 2])
        }
    }

    @Test func allOfThem() throws {
        let line =
            #"/a?b=c host=x.test:8080 interval=0.25 timeout=10 rise=1 fall=9 expect=200,300-302 text="all is well""#
        try parse(line) { check in
            #expect(String(cString: check.path!) == "/a?b=c" && String(cString: check.host!) == "x.test:8080")
            #expect(String(cString: check.expect!) == "200,300-302" && String(cString: check.text!) == "all is well")
            #expect([check.interval_ms, check.timeout_ms, check.rise, check.fall] == [250, 10_000, 1, 9])
        }
    }

    @Test(arguments: [
        ("", "takes a path"), ("health", "'health' is not a path"), ("/a b", "'b' is not host, interval"),
        ("/a interval=0", "'0' is not a number of seconds"), ("/a text=", "'text=' is not host, interval"),
        ("/a hcexpr=x", "'hcexpr' is a word of mod_proxy_hcheck: here it is 'expect= or text='"),
        ("hcmethod=HEAD /a", "here it is 'always GET'"), ("/\u{1}", "'/?' is not a path"),
    ])
    func wrong(line: String, why: String) {
        let error = #expect(throws: ConfigurationError.self) { try parse(line) { _ in } }
        #expect(error?.text.contains(why) == true, "\(error?.text ?? "")")
    }

    @Test(
        arguments: [
            ("200", [200], [199, 201]), ("200-299,404", [200, 299, 404], [300, 403, 405]),
            ("100-599", [100, 599], [0]),
        ] as [(String, [UInt32], [UInt32])])
    func statuses(text: String, good: [UInt32], bad: [UInt32]) {
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            let ranges = StatusRanges(Word(bytes))
            #expect(good.allSatisfy { ranges.contains($0) } && !bad.contains { ranges.contains($0) })
        }
    }
}
