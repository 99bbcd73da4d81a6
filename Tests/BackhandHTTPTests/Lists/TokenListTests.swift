// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct TokenListTests {
    private func withNames<Result>(_ body: (Names) -> Result) -> Result {
        let names = [TextOfC("Backhand-Proxied"), TextOfC("b")]
        return withExtendedLifetime(names) {
            (names.map { UnsafePointer($0.start) } + [nil]).withUnsafeBufferPointer { body($0.baseAddress!) }
        }
    }

    /// nil: the list has none of the names.
    @Test(
        arguments: [
            ("close", nil), ("", nil), (" ,;\t", nil), ("bb, \"b\"", nil), ("backhand-proxied", ""),
            ("close, B", "close"), ("b;c", "c"), ("a b\tc", "a, c"),
            ("a;b,c", "a, c"), ("\"x, b\" b", "\"x, b\""), ("b\"", nil), ("b \"", "\""), ("c\"d e\"f,b", "c\"d e\"f"),
            ("\"b", nil), ("b,,b", ""),
            ("Keep-Alive, Backhand-Proxied, TE", "Keep-Alive, TE"), ("b\u{b}b\u{c}c\r", "c"),
        ] as [(String, String?)])
    func lists(list: String, without: String?) {
        let list = TextOfC(list)
        withNames { names in
            #expect(listNames(list.start, oneOf: names) == (without != nil))
            let text = written { writeList(list.start, without: names, into: &$0) }
            #expect(text.utf8.count <= 2 * list.count)
            if let without { #expect(text == without) }
        }
    }
}
