// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandCandidacy

private let web4 = bh_address_t(ipv4: 0x0a00_0004)
private let ipv6 = bh_address_t(high: 0x2001_0db8_0000_0000, low: 4)

struct RedirectTargetTests {
    private struct Result: Equatable {
        var origin: String
        var named = false, asked = false, home = false
    }

    private func redirect(
        _ format: String? = nil, _ address: bh_address_t = web4, host: String? = "shop.test", asked: UInt16 = 80,
        askedTLS: Bool = false, local: Bool = false,
        port: UInt16 = 80, tlsPort: UInt16 = 443, tls: Bool = false
    ) -> Result {
        var facts = bh_facts_t()
        (facts.address, facts.port) = (address, port)
        withUnsafeMutableBytes(of: &facts.hostname) { $0.copyBytes(from: "web4.farm.test".utf8) }
        var made = bh_redirect_t()
        withText(format) { format in
            withText(host) { host in
                let client = bh_visitor_t(
                    host: host, port: asked, tls_port: tlsPort, tls: askedTLS, servers_tls: tls, local: local)
                makeRedirect(format: format, server: &facts, asked: client, into: &made)
            }
        }
        return Result(
            origin: String(cString: bh_redirect_origin_mutable(&made)), named: made.named, asked: made.asked,
            home: made.leads_home)
    }

    @Test(
        arguments: [
            (nil, web4, 80, false, "http://10.0.0.4"), (nil, web4, 443, true, "https://10.0.0.4"),
            (nil, web4, 443, false, "http://10.0.0.4:443"),
            (nil, ipv6, 8080, false, "http://[2001:db8::4]:8080"),
            (nil, ipv6, 65535, true, "https://[2001:db8::4]:65535"),
            ("%1S.%-2H", web4, 80, false, "http://web4.shop.test"),
            ("[2001:db8::9]", web4, 80, true, "https://[2001:db8::9]:80"),
            // No name comes out, or one that every client takes for its own machine.
            ("%9H", web4, 80, false, "http://10.0.0.4"), ("localhost", web4, 80, false, "http://10.0.0.4"),
            ("a.LOCALHOST", ipv6, 80, false, "http://[2001:db8::4]"),
            ("localhost.localdomain", web4, 80, false, "http://10.0.0.4"),
            ("127.0.0.9", web4, 80, false, "http://10.0.0.4"),
            ("xlocalhost", web4, 80, false, "http://xlocalhost"),
        ] as [(String?, bh_address_t, UInt16, Bool, String)])
    func origins(format: String?, address: bh_address_t, port: UInt16, tls: Bool, origin: String) {
        #expect(redirect(format, address, port: port, tls: tls).origin == origin)
    }

    @Test func namesOfLoopbackForAClientHere() {
        #expect(redirect("localhost", local: true) == Result(origin: "http://localhost", named: true))
        #expect(redirect("localhost") == Result(origin: "http://10.0.0.4"))
    }

    @Test(
        arguments: [
            ("10.0.0.4", web4, true), ("10.0.0.5", web4, false), ("2001:DB8:0::4", ipv6, true),
            ("2001:db8::5", ipv6, false), ("[2001:db8::4]", ipv6, false),
            ("", web4, false), (nil, web4, false), ("shop", ipv6, false), ("::ffff:10.0.0.4", web4, false),
        ] as [(String?, bh_address_t, Bool)])
    func askedByAddress(host: String?, address: bh_address_t, asked: Bool) {
        #expect(redirect(nil, address, host: host).asked == asked)
    }

    @Test func askedByNamePortAndScheme() {
        #expect(redirect("WEB4.shop.test", host: "web4.Shop.test").asked)
        #expect(!redirect("web4.shop.test", host: "web4.shop.test", asked: 81).asked)
        #expect(!redirect("web4.shop.test", host: "web4.shop.test", tls: true).asked)
        #expect(redirect("web4.shop.test", host: "web4.shop.test", asked: 443, askedTLS: true).asked)
    }

    @Test(
        arguments: [
            (false, false, "http://10.0.0.4:8080"), (true, false, "https://10.0.0.4:8443"),
            (false, true, "https://10.0.0.4:8080"), (true, true, "https://10.0.0.4:8080"),
        ])
    func schemeAndPort(askedTLS: Bool, tls: Bool, origin: String) {
        #expect(redirect(askedTLS: askedTLS, port: 8080, tlsPort: 8443, tls: tls).origin == origin)
    }

    @Test func leadsHome() {
        let loopback = bh_address_t(ipv4: 0x7f00_0004)
        #expect(
            redirect(nil, loopback).home && redirect(nil, bh_address_t(high: 0, low: 1)).home
                && redirect("10.0.0.9", loopback).home)
        #expect(
            !redirect(nil, loopback, local: true).home && !redirect("web4", loopback).home && !redirect(nil, web4).home)
    }

    /// The longest name, the longest port.
    @Test func fits() {
        let name = Array(repeating: String(repeating: "a", count: 62), count: 4).joined(separator: ".") + ".b"
        #expect(name.utf8.count == 253)
        #expect(redirect(name, port: 65535, tls: true).origin == "https://\(name):65535")
    }
}
