// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

@Suite struct DirectiveWordsTests {
    @Test(
        arguments: [
            ("", []), ("  \t", []), ("one", ["one"]), ("  one\ttwo  ", ["one", "two"]),
            (#""in quotes" next"#, ["in quotes", "next"]), ("'it is' x", ["it is", "x"]), (#""a"b"#, ["a", "b"]),
            (#""no end"#, ["no end"]), (#""a \"b\" \c \\""#, [#"a "b" \c \"#]), (#"a\\b\c"#, [#"a\b\c"#]),
            (#"a="b c" d="e" f='g h"#, ["a=b c", "d=e", "f=g h"]), (#"a="" b"#, ["a=", "b"]),
            (#""a\"#, [#"a\"#]), (#"'a\'b'"#, ["a'b"]), ("/var/www>", ["/var/www>"]),
        ] as [(String, [String])])
    func asHTTPDReadsThem(text: String, expected: [String]) {
        text.withCString { text in
            var words = DirectiveWords(Word(text))
            for word in expected { #expect(String(decoding: words.next(), as: UTF8.self) == word) }
            #expect(words.next().isEmpty)
        }
    }
}
