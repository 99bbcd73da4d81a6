// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct SessionCookieTests {
    @Test(
        arguments: [
            ("S", false, "S=00000000000000ff; Path=/; HttpOnly; SameSite=Lax"),
            ("S", true, "S=00000000000000ff; Path=/; HttpOnly; SameSite=Lax; Secure"),
            ("S; path=/a", false, "S=00000000000000ff; path=/a; HttpOnly; SameSite=Lax"),
            ("S;samesite=None;Secure", true, "S=00000000000000ff;samesite=None;Secure; Path=/; HttpOnly"),
            (
                "S; Secure; HttpOnly; SameSite=Strict; Path=/", false,
                "S=00000000000000ff; Secure; HttpOnly; SameSite=Strict; Path=/"
            ),
            ("S;", false, "S=00000000000000ff;; Path=/; HttpOnly; SameSite=Lax"),
        ] as [(String, Bool, String)])
    func whatIsWritten(line: String, secure: Bool, cookie: String) {
        let line = TextOfC(line)
        #expect(written { writeSessionCookie(line.start, tag: 0xff, secure: secure, into: &$0) } == cookie)
    }

    @Test(arguments: [
        ("S", true), ("S;", true), ("S; Path=/; HTTPONLY ; samesite=strict", true), ("a1-_.~!#$%'*+^`|", true),
        ("", false), (";", false), (" S", false), ("S ", false), ("S\u{7f}", false), ("S; Path=/a\u{1}", false),
        ("S; Path=/ü", false), ("S; Path", false), ("S; SameSite", false), ("S; SameSite=", false), ("S; x", false),
        ("S=", false), ("S\"", false), ("S&", false), ("S,", false),
    ])
    func lines(line: String, isOne: Bool) {
        let text = TextOfC(line)
        #expect(isSessionCookie(text.start) == isOne)
    }
}
