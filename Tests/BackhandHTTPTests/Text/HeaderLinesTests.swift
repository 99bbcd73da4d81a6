// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandHTTP

struct HeaderLinesTests {
    @Test(
        arguments: [
            (["Vary: a"], "vary: b", true), (["A: 1", "Vary: a"], "VARY: ", true), (["Vary2: a"], "Vary: a", false),
            ([], "A: 1", false),
        ] as [([String], String, Bool)])
    func names(lines: [String], line: String, found: Bool) {
        let (lines, line) = (Header(lines), Header([line]))
        #expect(withExtendedLifetime((lines, line)) { Lines(lines.fields).names(Lines(line.fields)[0]) } == found)
    }

    @Test(
        arguments: [
            (["A: 1"], "a: 1", HeaderKind.lines, true), (["A: 1"], "A: 2", .lines, false),
            (["A: 1"], "B: 1", .lines, false), (["A: x"], "A: X", .lines, false),
            (["A: 1", "A: 2"], "A: 2", .lines, true),
            (["Set-Cookie: a=1"], "Set-Cookie: a=2", .cookies, true),
            (["Set-Cookie: a=1"], "Set-Cookie: a=2", .lines, false),
        ] as [([String], String, HeaderKind, Bool)])
    func has(lines: [String], line: String, kind: HeaderKind, found: Bool) {
        let (lines, line) = (Header(lines), Header([line]))
        #expect(withExtendedLifetime((lines, line)) { Lines(lines.fields).has(Lines(line.fields)[0], kind) } == found)
    }

    /// The same hash is not the same name, and without the same hash names are not compared.
    @Test func hashes() {
        let name = TextOfC("A")
        let line = bh_field_t(name: name.start, value: name.start, hash: 1)
        #expect(!line.isNamed(as: bh_field_t(name: name.start, value: name.start, hash: 2)))
        let other = TextOfC("B")
        withExtendedLifetime((name, other)) {
            #expect(!line.isNamed(as: bh_field_t(name: other.start, value: name.start, hash: 1)))
        }
    }

    @Test func texts() {
        let header = Header([])
        let text = header.result.text { writer in
            writer.add(UInt8(ascii: "a"))
            writer.add(UInt64(12))
        }
        #expect(String(cString: text) == "a12")
        #expect(String(cString: header.result.text { _ in }).isEmpty)
    }
}
