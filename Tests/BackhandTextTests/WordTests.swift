// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

@Suite struct WordTests {
    @Test(
        arguments: [
            ("1", 1), ("65535", 65535), ("00080", 80), ("0", nil), ("65536", nil), ("", nil), ("8o", nil),
            ("18446744073709551697", nil),
        ] as [(String, UInt64?)])
    func number(text: String, expected: UInt64?) {
        #expect(text.withCString { Word($0).number(in: 1...65535) } == expected)
    }

    @Test(
        arguments: [("a:b:c", "a", "b:c"), (":b", "", "b"), ("a:", "a", ""), ("a", "a", nil)]
            as [(String, String, String?)])
    func split(text: String, head: String, tail: String?) {
        text.withCString {
            let parts = Word($0).split(at: UInt8(ascii: ":"))
            #expect(String(decoding: parts.head.bytes, as: UTF8.self) == head)
            #expect(parts.tail.map { String(decoding: $0.bytes, as: UTF8.self) } == tail)
        }
    }
}
