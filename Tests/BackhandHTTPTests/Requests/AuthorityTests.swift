// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct AuthorityTests {
    @Test(arguments: [
        ("10.0.0.4:80", "10.0.0.4", 80), ("[2001:db8::4]", "2001:db8::4", 443),
        ("[2001:db8::4]:8080", "2001:db8::4", 8080), ("web4", "web4", 443),
        ("web4:", "web4", 443), ("", "", 443), (":80", "", 80), ("a:99999", "a", 99999), ("[]", "", 443),
        ("a:00080", "a", 80),
    ])
    func authorities(text: String, host: String, port: Int) {
        let text = TextOfC(text)
        let authority = Authority(text.piece, usual: 443)
        #expect(authority?.host.string == host && authority?.port == port)
    }

    @Test(arguments: ["[2001:db8::4", "[::1]80", "a:123456", "a:8o", "a:80 ", "a:-1", "a:80:80", "2001:db8::4", "["])
    func notAuthorities(text: String) {
        let text = TextOfC(text)
        #expect(Authority(text.piece, usual: 80) == nil)
    }
}
