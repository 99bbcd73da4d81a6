// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

@Suite struct JSONPageTests {
    @Test func commasAndBrackets() {
        var page = JSONPage()
        page.beginObject()
        page.field("a", UInt64.max)
        page.field("b", Int64(-3))
        page.key("c")
        page.beginArray()
        page.beginObject()
        page.endObject()
        page.beginObject()
        page.field("d", true)
        page.field("e", name: "word")
        page.endObject()
        page.endArray()
        page.field("f", hexadecimal: 0xab)
        page.endObject()
        page.newline()
        #expect(
            page.text.text
                == #"{"a":18446744073709551615,"b":-3,"c":[{},{"d":true,"e":"word"}],"f":"00000000000000ab"}"# + "\n")
    }

    /// A comma is known of although the text before it was handed on.
    @Test func piecesAreOneText() {
        var (page, whole) = (JSONPage(), Message())
        page.beginArray()
        for _ in 0..<2 {
            page.beginObject()
            page.endObject()
            whole.add(page.text)
            page.text.removeAll()
        }
        page.endArray()
        whole.add(page.text)
        #expect(whole.text == "[{},{}]")
    }

    @Test(arguments: [
        (0, "0.000"), (5, "0.005"), (12_500, "12.500"), (-1, "-0.001"), (-1_234_567, "-1234.567"),
        (Int64.min, "-9223372036854775.808"), (Int64.max, "9223372036854775.807"),
    ])
    func thousandths(value: Int64, text: String) {
        var page = JSONPage()
        page.field("x", thousandths: value)
        #expect(page.text.text == "\"x\":" + text)
    }

    /// Whatever the bytes are, the text is ASCII, and a JSON text; a NUL ends it.
    @Test(arguments: [
        ("plain <&>'", #""plain <&>'""#), (#"a"b\c"#, #""a\"b\\c""#), ("\u{1}\n\u{7f}", #""\u0001\u000a\u007f""#),
        ("é", #""\ufffd\ufffd""#), ("", #""""#), ("a\0b", #""a""#),
    ])
    func texts(bytes: String, text: String) {
        var page = JSONPage()
        Array(bytes.utf8).withUnsafeBufferPointer {
            page.field("x", Word($0))
            page.field(Word($0), thousandths: 1)
        }
        #expect(page.text.text == "\"x\":" + text + "," + text + ":0.001")
    }
}
