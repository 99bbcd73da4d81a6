// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct FieldListTests {
    @Test(arguments: [
        ("a, b", "B", false, true), ("a,b ", "b", false, true), ("a", "b", false, false), ("", "a", false, false),
        ("max-age=5", "max-age=60", false, false),
        ("max-age=5", "Max-Age=60", true, true), ("no-cache", "no-cache=\"a\"", true, true),
        ("x=\"a, b\", c", "b\"", false, false),
        ("x=\"a, b\", c", "c", false, true), ("x=\"a\\\", b\", c", "b\"", false, false), ("a", "", false, false),
    ])
    func elements(list: String, element: String, byName: Bool, found: Bool) {
        let (list, element) = (TextOfC(list), TextOfC(element))
        #expect(listHas(list.start, element.start, byName: byName) == found)
    }

    @Test(
        arguments: [
            ("a, b, c", ["B"], false, "a, c"), ("a, A,a", [], false, "a"),
            ("max-age=1, max-age=2", [], true, "max-age=1"), ("a,b", ["x", "b , a"], false, ""),
            ("max-age=1, public", ["no-cache, max-age=9"], true, "public"), ("", ["a"], false, ""),
            (", ,\t,", [], false, ""),
            ("x=\"a, b\", c", ["c"], false, "x=\"a, b\""), ("x=\"a, b", [], false, "x=\"a, b"),
            ("a,b,c", [], false, "a, b, c"), ("\"a\\", [], false, "\"a\\"),
        ] as [(String, [String], Bool, String)])
    func beyond(list: String, lines: [String], byName: Bool, rest: String) {
        let (list, lines) = (TextOfC(list), lines.map { TextOfC($0) })
        let text = written {
            writeElements(
                of: list.piece, byName: byName, into: &$0,
                unless: { element in
                    lines.contains { $0.piece.has(element, byName) }
                })
        }
        #expect(text == rest && text.utf8.count <= 2 * list.count)
    }
}
