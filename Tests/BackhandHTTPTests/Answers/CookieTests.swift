// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct CookieTests {
    @Test(arguments: [
        ("a=1", "a=2", true), ("a=1; Path=/", "a=2;path=/; Secure", true),
        ("a=1; Domain=.shop.test", "a=1; domain=SHOP.test", true),
        ("a", "a=1", true), ("", "", true), ("a=1; Path=/; Path=/b", "a=2; Path=/b", true), ("a=1; Path=", "a=1", true),
        ("a=1", "A=1", false), ("a=1; Path=/", "a=1", false), ("a=1; Path=/a", "a=1; Path=/A", false),
        ("a=1; Domain=x", "a=1; Domain=y", false),
        ("a=1; Path=/", "b=1; Path=/", false), ("a=1", "ab=1", false), ("a;=1", "a=1", true),
    ])
    func same(left: String, right: String, same: Bool) {
        let (left, right) = (TextOfC(left), TextOfC(right))
        #expect(isSameCookie(left.start, right.start) == same && isSameCookie(right.start, left.start) == same)
    }

    @Test(arguments: [
        ("a=1", "a=2; Secure; HttpOnly", "a=1; Secure; HttpOnly"), ("a=1; secure", "a=1; Secure", "a=1; secure"),
        ("a=1", "a=1", "a=1"), ("a=1", "", "a=1"),
        ("a=1; SameSite=Lax", "a=1; SameSite=Strict; Max-Age=5", "a=1; SameSite=Lax; Max-Age=5"),
        ("a=1", "a=1;;  ;Secure ; secure", "a=1; Secure"),
        ("a=1", "b=2;b=3", "a=1; b=2"), ("", "a=1", "; a=1"),
    ])
    func attributes(cookie: String, line: String, merged: String) {
        let (cookie, line) = (TextOfC(cookie), TextOfC(line))
        #expect(written { writeCookie(cookie.start, attributesOf: line.start, into: &$0) } == merged)
    }
}
