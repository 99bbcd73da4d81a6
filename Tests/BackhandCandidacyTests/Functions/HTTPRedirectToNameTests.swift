// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

struct HTTPRedirectToNameTests {
    @Test func marksAllThatAreThereWithTheFormat() throws {
        let chain = try Chain(["removeSelf", "HTTPRedirectToName %-2S.%-2H", "addSelf"])
        let outcome = FakeTable(count: 3).decide(chain)
        #expect(outcome.ids == [1, 2, 0] && outcome.modes == [1, 1, 0])
        let format = UnsafeMutablePointer(mutating: chain.steps[1].argument)
        #expect(format != nil && outcome.hosts == [format, format, nil])
    }

    @Test func withoutFormatItIsTheWholeName() throws {
        let outcome = try FakeTable(count: 1).decide(["HTTPRedirectToName"])
        #expect(outcome.modes == [1])
        #expect(
            expand(outcome.hosts[0].map { String(cString: $0) }!, "www-1.jersey.domain.com", "www.client.com")
                == "www-1.jersey.domain.com")
    }

    /// What the format means; nil: no name to send anybody to.
    private func expand(_ format: String, _ server: String?, _ host: String?, room: Int = Int(BH_NAME_SIZE)) -> String?
    {
        let memory = GuardedMemory(room)
        let name = memory.inner.bindMemory(to: CChar.self)
        let status = withText(format) { format in
            withText(server) { server in
                withText(host) { host in expandName(format!, server: server, host: host, into: name) }
            }
        }
        #expect(memory.isIntact)
        return status == BH_OK ? String(cString: name.baseAddress!) : nil
    }

    /// The first four are the examples of mod_backhand 1.2.
    @Test(arguments: [
        ("%2S", "www-1.jersey"), ("%-3S", "www-1"), ("%1H", "client.com"), ("%-2H", "client.com"),
        ("%1S.%1H", "www-1.client.com"), ("%-2S.%-2H", "www-1.jersey.client.com"),
        ("%4S", "www-1.jersey.domain.com"), ("%5S", "www-1.jersey.domain.com"), ("%99S", "www-1.jersey.domain.com"),
        ("%1S", "www-1"), ("%3S", "www-1.jersey.domain"), ("%-1S", "www-1.jersey.domain"),
        ("%2H", "com"), ("%-1H", "com"), ("%-3H", "www.client.com"), ("%-99H", "www.client.com"), ("%02H", "com"),
        ("static.%1S.x_y", "static.www-1.x_y"), ("a%1Sb%-1Hc", "awww-1bcomc"), ("www9.example.com", "www9.example.com"),
        ("[2001:db8::4]", "[2001:db8::4]"), ("10.0.0.4", "10.0.0.4"),
    ])
    func expands(format: String, name: String) {
        #expect(expand(format, "www-1.jersey.domain.com", "www.client.com") == name)
    }

    @Test func exampleOfTheSources() {
        #expect(expand("%-2S.%-2H", "www3.sanfran.hosting.com", "www.client1.com") == "www3.sanfran.client1.com")
    }

    @Test(
        arguments: [
            // Nothing left of one side, or of both.
            ("%-4S", "a.b.c.d", "h.i"), ("%-9S.%-2H", "a.b.c", "h.i"), ("%1S.%2H", "a.b", "h.i"), ("%9H", "a.b", "h.i"),
            ("%1S.%1H", "a.b", nil), ("%1S.%1H", "a.b", ""), ("%1S", nil, "h.i"), ("%1S", "", "h.i"),
            // Bytes that no name has, wherever they come from.
            ("%99S", "a b", "h.i"), ("%-2H", "a", "h.i/x"), ("%-2H", "a", "h.i\r\nSet-Cookie: x"),
            ("%-2H", "a", "h\u{1}.i"),
            ("%-2H", "a", "user@h.i"), ("%-2H", "a", "h.i:80"), ("%-2H", "a", "h%2f.i"), ("%-2H", "a", "h\\.i"),
            ("%-2H", "a", "hé.i"),
            ("%-2H", "a", "<h>.i"), ("%-2H", "a", "2001:db8::4"),
            // Dots where none belong.
            ("%-2H", "a", ".i"), ("%-3H", "a", "h..i"), ("%-2H", "a", "i."), ("%1S", ".a", "h"), ("www.", "a", "h"),
            ("a..b", "a", "h"),
            // What clients take for an address and is none.
            ("%-2S.%-2H", "www3.sanfran.hosting.com", "10.0.0.4"), ("%1S", "10.0.0.4", "h"), ("1.2.3.256", "a", "h"),
            ("7", "a", "h"),
            // Formats of loaded functions, which nobody has checked before.
            ("", "a", "h"), ("%", "a", "h"), ("%%", "a", "h"), ("%1X", "a", "h"), ("%1", "a", "h"), ("a%", "a", "h"),
            ("a b", "a", "h"),
            ("evil.com/", "a", "h"), ("[::1", "a", "h"), ("[::1]x", "a", "h"), ("[]", "a", "h"),
            ("[10.0.0.4]", "a", "h"),
            ("[::1]:80", "a", "h"), ("[" + String(repeating: "1", count: 100) + "]", "a", "h"), ("[", "a", "h"),
        ] as [(String, String?, String?)])
    func refuses(format: String, server: String?, host: String?) {
        #expect(expand(format, server, host) == nil)
    }

    @Test func longNames() {
        let part = String(repeating: "x", count: 63)
        let longest = "\(part).\(part).\(part).\(String(repeating: "y", count: 61))"
        #expect(longest.utf8.count == 253 && expand("%99S", longest, nil) == longest)
        #expect(expand("%99S", longest + "y", nil) == nil)
        #expect(expand("%99S%99S", String(repeating: "xxxx.", count: 5000) + "x", nil) == nil)
        #expect(expand("%1S", "abc", nil, room: 4) == "abc" && expand("%1S", "abc", nil, room: 3) == nil)
        #expect(expand("%1S", "abc", nil, room: 1) == nil)
    }
}
