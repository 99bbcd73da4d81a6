// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

struct BySessionTests {
    /// 3 and 4 have one address; so have 5 and 6.
    private static let servers = [
        FakeServer(address: "10.0.0.1", port: 80), FakeServer(address: "127.0.0.1", port: 8080),
        FakeServer(address: "192.168.171.205", port: 80), FakeServer(address: "10.0.0.15", port: 80),
        FakeServer(address: "10.0.0.15", port: 8080), FakeServer(address: "2001:db8::4", port: 80),
        FakeServer(address: "2001:db8::4", port: 8080),
    ]

    private func owner(_ lines: [String] = ["bySession"], cookie: String? = nil, query: String? = nil) throws -> [Int32]
    {
        FakeTable(Self.servers).decide(try Chain(lines), cookie: cookie, query: query).ids
    }

    private static let all = (0..<7 as Range<Int32>).map { $0 }

    @Test(
        arguments: [
            ("PHPSESSID=7f000001", 1), ("PHPSESSID=7f000001c4ca4238a0b923820dcc509a6f75849b", 1),
            ("PHPSESSID=7F000001xyz", 1),
            ("PHPSESSID=c0a8abcd00", 2), ("PHPSESSID=C0A8ABCD00", 2), ("PHPSESSID=c0A8aBcD", 2),
            ("PHPSESSID=0a000001", 0),
            // The first of one address.
            ("PHPSESSID=0a00000f", 3), ("PHPSESSID=0a00000f-", 3), ("PHPSESSID=0a00000f-1f9", 3),
            ("PHPSESSID=0a00000f-1f90x", 3),
            ("PHPSESSID=0a00000f-1f901", 3), ("PHPSESSID=0a00000f1f90-", 3), ("PHPSESSID=0a00000f_1f90_", 3),
            // With its port.
            ("PHPSESSID=0a00000f-1f90-", 4), ("PHPSESSID=0a00000f-1F90-c4ca4238", 4),
            ("PHPSESSID=0a00000f-0050-c4ca4238", 3),
            ("PHPSESSID=0a00000f-1f90", 4), ("PHPSESSID=0a00000f-1f90; a=b", 4), ("PHPSESSID=0a00000f-1f90, a=b", 4),
            ("PHPSESSID=\"0a00000f-1f90\"", 4), ("PHPSESSID=0000000000000000000ffff0a00000f-1f90-", nil),
            ("PHPSESSID=00000000000000000000ffff0a00000f-1f90-x", 4),
            // IPv6 always has its port: 32 digits alone are what most session ids look like.
            ("PHPSESSID=20010db8000000000000000000000004-0050-abc", 5),
            ("PHPSESSID=20010DB8000000000000000000000004-1F90", 6),
            ("PHPSESSID=20010db8000000000000000000000004", nil),
            ("PHPSESSID=20010db8000000000000000000000004-0051-", nil),
            ("PHPSESSID=20010db8000000000000000000000004-50-", nil),
            // An address in front of an id of 24 or more digits stays an IPv4 address.
            ("PHPSESSID=7f0000010123456789abcdef01234567", 1), ("PHPSESSID=7f0000010123456789abcdef012345670-1f90-", 1),
            ("PHPSESSID=7f0000010123456789abcdef01234567-x", 1),
            // Among other cookies.
            ("a=b; PHPSESSID=7f000001; c=d", 1), ("a=b;PHPSESSID=7f000001", 1), ("a=b, PHPSESSID=7f000001", 1),
            ("a=b,PHPSESSID=7f000001", 1), ("; ;\t PHPSESSID=7f000001", 1), ("PHPSESSID=\"7f000001abc\"", 1),
            // Twice: the first that is known.
            ("PHPSESSID=0a0000ff; PHPSESSID=7f000001", 1), ("PHPSESSID=7f000001; PHPSESSID=0a000001", 1),
            ("PHPSESSID=; PHPSESSID=zz, PHPSESSID=7f000001", 1), ("PHPSESSID=PHPSESSID=7f000001", nil),
            // No session of ours.
            ("", nil), ("PHPSESSID", nil), ("PHPSESSID=", nil), ("PHPSESSID=;", nil), ("PHPSESSID=7f00000", nil),
            ("PHPSESSID=7f00000g", nil),
            ("PHPSESSID= 7f000001", nil), ("PHPSESSID=\"", nil), ("PHPSESSID=\"\"7f000001", nil),
            ("PHPSESSID=0x7f000001", nil),
            ("PHPSESSID=127.0.0.1", nil), ("PHPSESSID=7f000002", nil), ("PHPSESSID=7f000001-0050-", nil),
            ("PHPSESSID=7f000001-0000-", nil),
            ("PHPSESSID=550e8400-e29b-41d4-a716-446655440000", nil), ("PHPSESSID=00000000", nil),
            ("PHPSESSID=ffffffffff", nil),
            ("XPHPSESSID=7f000001", nil), ("a=PHPSESSID=7f000001", nil), ("phpsessid=7f000001", nil),
            ("PHPSESSID =7f000001", nil),
            ("a=b&PHPSESSID=7f000001", nil), ("a=b PHPSESSID=7f000001", nil), ("é=ü; PHPSESSID=7f000001", 1),
        ] as [(String, Int32?)])
    func readsCookies(cookie: String, owner: Int32?) throws {
        #expect(try self.owner(cookie: cookie) == (owner.map { [$0] } ?? Self.all))
    }

    @Test(
        arguments: [
            ("PHPSESSID=7f000001", 1), ("a=b&PHPSESSID=7f000001&c=d", 1), ("a=b;PHPSESSID=7f000001", 1),
            ("PHPSESSID=0a00000f-1f90&x", 4),
            ("&&PHPSESSID=c0a8abcd", 2), ("", nil), ("XPHPSESSID=7f000001", nil), ("a=PHPSESSID=7f000001", nil),
            ("a,PHPSESSID=7f000001", nil), ("PHPSESSID%3D7f000001", nil), ("?PHPSESSID=7f000001", nil),
        ] as [(String, Int32?)])
    func readsTheQuery(query: String, owner: Int32?) throws {
        #expect(try self.owner(query: query) == (owner.map { [$0] } ?? Self.all))
    }

    @Test func cookiesComeFirst() throws {
        #expect(try owner(cookie: "PHPSESSID=7f000001", query: "PHPSESSID=0a000001") == [1])
        #expect(try owner(cookie: "PHPSESSID=7f0000ff", query: "PHPSESSID=0a000001") == [0])
        #expect(try owner(cookie: "a=b", query: "PHPSESSID=0a000001") == [0])
        #expect(try owner() == Self.all)
    }

    @Test func otherIdentifiers() throws {
        #expect(try owner(["bySession JSESSIONID="], cookie: "PHPSESSID=0a000001; JSESSIONID=7f000001") == [1])
        #expect(try owner(["bySession JSESSIONID="], cookie: "PHPSESSID=0a000001") == Self.all)
        // As it is given: nothing is added.
        #expect(try owner(["bySession sid"], cookie: "sid=7f000001") == Self.all)
        #expect(try owner(["bySession sid"], cookie: "sid7f000001=x") == [1])
        #expect(try owner(["bySession sid=s:"], cookie: "sid=s:7f000001.sig") == [1])
    }

    @Test func onlyCandidatesAreFound() throws {
        #expect(try owner(["removeSelf", "bySession"], cookie: "PHPSESSID=0a000001") == [1, 2, 3, 4, 5, 6])
        #expect(
            FakeTable([FakeServer(heard: 0, address: "10.0.0.1", port: 80), FakeServer(address: "10.0.0.2", port: 80)])
                .decide(try Chain(["bySession"]), cookie: "PHPSESSID=0a000001").ids == [1])
        #expect(try FakeTable([]).decide(["bySession"]).ids == [])
        // In the order of the list, not of the table.
        var servers = Self.servers
        servers[3].load = 9
        #expect(FakeTable(servers).decide(try Chain(["byLoad", "bySession"]), cookie: "PHPSESSID=0a00000f").ids == [4])
    }

    @Test func keepsTheMode() throws {
        let outcome = FakeTable(Self.servers).decide(
            try Chain(["HTTPRedirectToIP", "bySession", "byLoad"]), cookie: "PHPSESSID=7f000001")
        #expect(outcome.ids == [1] && outcome.modes == [1] && outcome.counts == [7, 7, 1, 1])
    }

    @Test func strangersCannotMakeItLookUpForEver() throws {
        let seven = String(repeating: "PHPSESSID=0b000001;", count: 7)
        #expect(try owner(cookie: seven + "PHPSESSID=7f000001") == [1])
        #expect(try owner(cookie: seven + "PHPSESSID=0b000001;PHPSESSID=7f000001") == Self.all)
        // Other cookies do not count.
        #expect(try owner(cookie: String(repeating: "x=1;", count: 1000) + "PHPSESSID=7f000001") == [1])
    }

    @Test func everyPieceOfAHeaderIsRead() throws {
        let header = "PHPSESSID=20010db8000000000000000000000004-1f90-"
        for length in 0...header.utf8.count {
            let ids = try owner(cookie: String(header.prefix(length)))
            #expect(ids == (length >= header.utf8.count - 1 ? [6] : Self.all), "\(length)")
        }
    }
}
