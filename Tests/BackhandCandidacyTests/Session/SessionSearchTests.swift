// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandHTTP
import CBackhand
import Testing

@testable import BackhandCandidacy

private let lines = [#"bySession cookie=ROUTE;Path=/"#]
private let up = BH_STATE_UP.rawValue
private let draining = BH_STATE_DRAINING.rawValue

/// How tags are made here: what stands for a hash has all of its bytes, and one of the key.
private func sessions(keys: [UInt8]) -> bh_sessions_t {
    let words = (UInt64(keys[0]), UInt64(0), UInt64(keys.last!), UInt64(0))
    return bh_sessions_t(hash: hash, count: UInt32(keys.count), keys: withUnsafeBytes(of: words) { loaded($0) })
}

private func loaded<Value>(_ bytes: UnsafeRawBufferPointer) -> Value { bytes.load(as: Value.self) }

private func hash(_ bytes: UnsafeRawPointer, _ count: Int, _ key: UnsafePointer<UInt8>) -> UInt64 {
    var value = UInt64(key[0]) &* 0x9e37_79b9_7f4a_7c15
    for place in 0..<count {
        value = (value ^ UInt64(bytes.load(fromByteOffset: place, as: UInt8.self))) &* 0x100_0000_01b3
    }
    return value
}

/// Three servers: two on one address. The second may drain.
private final class Table {
    let table: FakeTable
    var sessions = BackhandCandidacyTests.sessions(keys: [1])

    init(second: UInt32 = up, heard: UInt64 = FakeTable.now, refuses: Bool = false) {
        table = FakeTable([
            FakeServer(address: "10.0.0.1", port: 80),
            FakeServer(
                heard: heard, backoff: refuses ? FakeTable.now + 1000 : 0, refused: refuses ? 1 : 0,
                address: "10.0.0.2", port: 80),
            FakeServer(address: "10.0.0.2", port: 8080),
        ])
        bh_half_store(&bh_segment_row_mutable(table.segment, 1).pointee.state, second)
    }

    /// The value of Set-Cookie; empty: none is needed.
    func written(
        for id: UInt32, sent: String? = nil, secure: Bool = false, line: String = "ROUTE"
    ) -> String {
        var room = [CChar](repeating: 0, count: 200)
        let length = withText(sent) { sent in
            withText(line) { line -> Int in
                var writer = Writer(&room, room.count)
                writeSession(table.segment, id, &sessions, line!, sent: sent, secure: secure, into: &writer)
                return writer.end()
            }
        }
        return length == 0 ? "" : String(decoding: room.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// "ROUTE=0123456789abcdef".
    func pair(_ id: UInt32) -> String { String(written(for: id).prefix(22)) }

    func decide(_ cookie: String?, _ chain: [String] = lines, tried: [UInt32] = []) throws -> Outcome {
        table.decide(try Chain(chain), cookie: cookie, tried: tried, sessions: &sessions)
    }
}

struct SessionSearchTests {
    @Test(arguments: [0, 1, 2] as [UInt32])
    func theServerOfTheCookie(id: UInt32) throws {
        let table = Table()
        let pair = table.pair(id)
        for cookie in [pair, "a=b; \(pair)", "a=b, \(pair); c=d", "ROUTE=\"\(pair.dropFirst(6))\"", "ROUTE=x; \(pair)"]
        {
            #expect(try table.decide(cookie).ids == [Int32(id)], "\(cookie)")
        }
    }

    @Test func anythingElseIsNoCookieOfOurs() throws {
        let table = Table()
        let pair = table.pair(1)
        for cookie in [
            nil, "", "ROUTE", "ROUTE=", "ROUTE=;", "X\(pair)", "\(pair)0", "\(pair.dropLast())",
            "ROUTE= \(pair.dropFirst(6))",
            pair.lowercased(), "ROUTE=0a000002-0050-", "ROUTE=0000000000000000", "ROUTE;Path=/=\(pair.dropFirst(6))",
        ] {
            #expect(try table.decide(cookie).ids == [0, 1, 2], "\(cookie ?? "-")")
        }
        // The query is not looked at, and another httpd's key makes others.
        #expect(
            table.table.decide(try Chain(lines), query: pair, sessions: &table.sessions).ids == [0, 1, 2])
        table.sessions = sessions(keys: [2])
        #expect(try table.decide(pair).ids == [0, 1, 2])
        #expect(table.table.decide(try Chain(lines), cookie: table.pair(1)).ids == [0, 1, 2])
    }

    @Test func theOldKeyIsAcceptedAndReplaced() throws {
        let table = Table()
        let old = table.pair(1)
        table.sessions = sessions(keys: [2, 1])
        #expect(try table.decide(old).ids == [1])
        #expect(table.written(for: 1, sent: old).hasPrefix("ROUTE=") && table.pair(1) != old)
    }

    @Test func itIsSetOnlyIfItChanges() {
        let table = Table()
        let pair = table.pair(1)
        #expect(table.written(for: 1) == "\(pair); Path=/; HttpOnly; SameSite=Lax")
        #expect(table.written(for: 1, sent: "a=b; \(pair)") == "")
        #expect(table.written(for: 1, sent: "\(table.pair(0)); \(pair)") == "")
        #expect(table.written(for: 1, sent: "X\(pair)") != "" && table.written(for: 0, sent: pair) != "")
        #expect(
            table.written(for: 1, secure: true, line: "S; Path=/a").hasSuffix(
                "; Path=/a; HttpOnly; SameSite=Lax; Secure"))
    }

    @Test func aDrainingServerKeepsItsSessions() throws {
        let table = Table(second: draining)
        #expect(try table.decide(nil).ids == [0, 2])
        let kept = try table.decide(table.pair(1))
        #expect(kept.ids == [1] && !kept.lastResort && kept.choices == 1)
        #expect(try table.decide("PHPSESSID=0a000002-0050-", ["bySession"]).ids == [1])
        #expect(try table.decide("PHPSESSID=0a000002", ["bySession"]).ids == [2])
        // It goes on as the chain has it.
        let redirected = try table.decide(table.pair(1), ["HTTPRedirectToIP"] + lines)
        #expect(redirected.ids == [1] && redirected.modes == [1])
        #expect(try table.decide(table.pair(1), lines + ["default"]).ids == [1])
    }

    @Test func untilItIsGone() throws {
        let pair = Table().pair(1)
        for state in [BH_STATE_SHUTDOWN, BH_STATE_MAINTENANCE] {
            #expect(try Table(second: state.rawValue).decide(pair).ids == [0, 2])
        }
        #expect(try Table(second: draining, heard: FakeTable.now - 7000).decide(pair).ids == [0, 2])
        #expect(try Table(second: draining, refuses: true).decide(pair).ids == [0, 2])
        #expect(try Table(second: draining).decide(pair, tried: [1]).ids == [0, 2])
        #expect(try Table(refuses: true).decide(pair).ids == [0, 2])
    }

    @Test func membersAlone() throws {
        let table = Table(second: draining)
        let members = [bh_member_t(row: 2, weight: 100), bh_member_t(row: 0, weight: 100)]
        let pair = table.pair(1)
        let outcome = table.table.decide(try Chain(lines), cookie: pair, members: members, sessions: &table.sessions)
        #expect(outcome.ids == [2, 0])
        let all = members + [bh_member_t(row: 1, weight: 100)]
        #expect(
            table.table.decide(try Chain(lines), cookie: pair, members: all, sessions: &table.sessions).ids == [1])
    }

    @Test(arguments: [
        "cookie=ROUTE", "cookie=__Host-a!b; Secure; Path=/", "cookie=a;HttpOnly;SameSite=Lax", "cookie=a; path=/shop/x",
        "cookie=a; samesite=none; SECURE", "cookie=", "cookie=a;",
    ])
    func lineIsAccepted(argument: String) throws {
        _ = try Chain([("bySession " + argument)])
    }

    @Test(arguments: [
        "cookie==", "cookie=a=b", "cookie=a,b", "cookie=a&b", "cookie=;Path=/", "cookie=a; Path=shop",
        "cookie=a; SameSite=Lex",
        "cookie=a; Domain=x", "cookie=a b", "cookie=a; Secure=1", "cookie=é", "cookie=a; Max-Age=1",
        "cookie=" + String(repeating: "a", count: 65),
    ])
    func lineIsRefused(argument: String) {
        withText(argument) { argument -> Void in
            withText("bySession") { name -> Void in
                #expect(throws: (any Error).self) { try parseStep(name: name!, argument: argument) }
            }
        }
    }
}
