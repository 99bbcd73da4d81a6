// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandHTTP

struct ServerLocationTests {
    private func server(_ port: UInt16) -> bh_facts_t {
        var facts = bh_facts_t()
        facts.address = bh_address_t(ipv4: 0x0a00_0004)
        facts.port = port
        withUnsafeMutableBytes(of: &facts.hostname) { $0.copyBytes(from: "Web4".utf8) }
        return facts
    }

    private func path(_ url: String, site: String?, port: UInt16, tls: Bool) -> String? {
        let (url, site) = (TextOfC(url), site.map { TextOfC($0) })
        var facts = server(port)
        return withUnsafePointer(to: &facts) {
            pathAtServer(url.start, AskedServer($0, site: site.map { UnsafePointer($0.start) }), tls: tls)?.string
        }
    }

    @Test(
        arguments: [
            ("http://10.0.0.4:8080/a?b#c", "/a?b#c"), ("HTTP://web4:8080", ""), ("//WEB4:8080?q", "?q"),
            ("http://[::ffff:10.0.0.4]:8080/", "/"),
            ("http://shop.test:8080/a", "/a"), ("http://Shop.Test:8080#f", "#f"), ("http://web4:08080/", "/"),
            ("http://10.0.0.4/a", nil), ("https://10.0.0.4:8080/a", nil), ("http://10.0.0.5:8080/", nil),
            ("http://web44:8080/", nil), ("/a", nil), ("", nil),
            ("http://:8080/", nil), ("http:/web4:8080/", nil), ("http://user@web4:8080/", nil),
            ("http://web4:8080x/", nil), ("http://shop.test/", nil),
        ] as [(String, String?)])
    func locations(url: String, rest: String?) {
        #expect(path(url, site: "shop.test", port: 8080, tls: false) == rest)
    }

    @Test func usualPorts() {
        #expect(path("http://web4/a", site: nil, port: 80, tls: false) == "/a")
        #expect(path("https://web4/a", site: nil, port: 443, tls: true) == "/a")
        #expect(path("http://web4/a", site: nil, port: 443, tls: true) == nil)
        #expect(path("http:///a", site: "", port: 80, tls: false) == nil)
    }

    @Test(
        arguments: [
            ("a=1; Domain=web4; Path=/", "shop.test", "web4"), ("a=1;domain=.10.0.0.4", "shop.test", "10.0.0.4"),
            ("a=1; Domain=x; Domain=WEB4", "shop.test", "WEB4"), ("a=1; Domain=web4; Domain=x", "shop.test", nil),
            ("a=1", "shop.test", nil),
            ("a=1; Domain=", "shop.test", nil), ("a=1; Domain=web4", nil, nil), ("a=1; Domain=web4", "web4", nil),
            ("a=1; Domain=web4", "a.Web4", nil),
            ("a=1; Domain=web4", "aweb4", "web4"), ("Domain=web4", "shop.test", nil),
            ("a=1; Domain=web5", "shop.test", nil),
            ("a=1;\u{b} Domain=web4\tx", "shop.test", "web4"),
        ] as [(String, String?, String?)])
    func cookieDomains(cookie: String, site: String?, domain: String?) {
        let (cookie, site) = (TextOfC(cookie), site.map { TextOfC($0) })
        var facts = server(80)
        let found = withUnsafePointer(to: &facts) {
            serverDomain(in: cookie.start, AskedServer($0, site: site.map { UnsafePointer($0.start) }))?.string
        }
        #expect(found == domain)
    }
}
