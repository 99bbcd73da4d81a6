// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandHTTP

/// A header in memory, and one that collects what is added.
final class Header {
    private let texts: [(TextOfC, TextOfC)]
    private let memory: UnsafeMutableBufferPointer<bh_field_t>
    private var rooms: [UnsafeMutablePointer<CChar>] = []
    private(set) var added: [String] = []

    /// Lines such as "Vary: Accept".
    init(_ lines: [String]) {
        texts = lines.map { line in
            let colon = line.firstIndex(of: ":")!
            return (TextOfC(String(line[..<colon])), TextOfC(String(line[colon...].dropFirst(2))))
        }
        memory = .allocate(capacity: lines.count)
        for (place, text) in texts.enumerated() {
            let hash = (text.0.piece.string.lowercased().utf8.first ?? 0) | 0x20
            memory[place] = bh_field_t(name: text.0.start, value: text.1.start, hash: UInt32(hash))
        }
    }

    deinit {
        memory.deallocate()
        for room in rooms { room.deallocate() }
    }

    var fields: bh_fields_t { bh_fields_t(first: memory.baseAddress, count: memory.count) }

    var result: bh_header_t {
        bh_header_t(
            baton: Unmanaged.passUnretained(self).toOpaque(),
            add: { baton, name, value in
                Header.of(baton).added.append(String(cString: name) + ": " + String(cString: value))
            },
            room: { baton, size in
                let room = UnsafeMutablePointer<CChar>.allocate(capacity: size)
                Header.of(baton).rooms.append(room)
                return room
            })
    }

    private static func of(_ baton: UnsafeMutableRawPointer?) -> Header {
        Unmanaged<Header>.fromOpaque(baton!).takeUnretainedValue()
    }
}

struct HeaderMergeTests {
    @Test(
        arguments: [
            ([], [], []),
            // What only one has.
            (["A: 1"], ["A: 1", "B: 2"], ["A: 1", "B: 2"]), (["A: 1", "B: 2"], ["B: 2"], ["B: 2"]),
            // One value.
            (["X-A: 1"], ["x-a: 2"], ["X-A: 1"]), (["X: 1", "X: 2"], ["X: 3"], ["X: 1", "X: 2"]),
            // Lists.
            (["Vary: a"], ["Vary: b"], ["Vary: a, b"]), (["Vary: a"], ["Vary: b, A"], ["Vary: a, b"]),
            (["Vary: a", "Vary: b"], ["vary: B, c", "Vary: d"], ["Vary: a, c, d", "Vary: b"]),
            (["Vary: "], ["Vary: b"], ["Vary: b"]), (["Vary: a"], ["Vary: "], ["Vary: a"]),
            (["Cache-Control: max-age=5"], ["Cache-Control: Max-Age=60, public"], ["Cache-Control: max-age=5, public"]),
            // Lines.
            (["Warning: a, b"], ["Warning: b", "Warning: a, b"], ["Warning: a, b", "Warning: b"]),
            (["Set-Cookie: a=1"], ["Set-Cookie: a=2", "Set-Cookie: b=2"], ["Set-Cookie: a=1", "Set-Cookie: b=2"]),
            // The front's.
            (["Content-Type: a"], ["Content-Type: b"], ["Content-Type: b"]), (["ETag: a"], ["ETag: b"], ["ETag: b"]),
            (["Via: a"], ["Via: b"], ["Via: b"]), (["Backhand-X: a"], ["Backhand-X: b"], ["Backhand-X: b"]),
        ] as [([String], [String], [String])])
    func within(sent: [String], now: [String], merged: [String]) {
        let (sent, now, result) = (Header(sent), Header(now), Header([]))
        HeaderMerge(bh_answer_header_t(sent: sent.fields, now: now.fields, edits: false), into: result.result)
            .addWithin()
        #expect(result.added == merged)
    }

    @Test func untouched() {
        let (sent, result) = (Header(["A: 1", "Vary: a"]), Header([]))
        HeaderMerge(bh_answer_header_t(sent: sent.fields, now: sent.fields, edits: true), into: result.result)
            .addWithin()
        #expect(result.added.isEmpty)
    }

    @Test(
        arguments: [
            (false, ["Set-Cookie: a=1", "Set-Cookie: b=2; Path=/"]),
            (true, ["Set-Cookie: a=1; Secure; HttpOnly", "Set-Cookie: b=2; Path=/"]),
        ] as [(Bool, [String])])
    func attributes(edits: Bool, merged: [String]) {
        let (sent, result) = (Header(["Set-Cookie: a=1", "Set-Cookie: b=2; Path=/"]), Header([]))
        let now = Header(["Set-Cookie: a=9; Secure", "Set-Cookie: a=8; HttpOnly", "Set-Cookie: b=2; Path=/"])
        HeaderMerge(bh_answer_header_t(sent: sent.fields, now: now.fields, edits: edits), into: result.result)
            .addWithin()
        #expect(result.added == merged)
    }

    @Test(
        arguments: [
            // Only the front's; and one that it has unset in the server's.
            (["B: 1"], ["A: 1"], ["A: 1"], ["B: 1"]), (["A: 2"], ["A: 1"], [], ["A: 2"]),
            (["A: 2"], ["A: 1"], ["A: 1"], []), (["Vary: a, b"], ["Vary: a"], ["Vary: a"], ["Vary: b"]),
            (["Vary: a"], ["Vary: a"], ["Vary: a"], []),
            (["Pragma: a=1"], ["Pragma: a=2"], ["Pragma: a=2"], []),
            (["Warning: a", "Warning: b"], ["Warning: a"], ["Warning: a"], ["Warning: b"]),
            (["Set-Cookie: a=2; Secure"], ["Set-Cookie: a=1"], ["Set-Cookie: a=1"], []),
            (["ETag: b"], ["ETag: a"], ["ETag: a"], []), (["Via: b"], ["Via: a"], ["Via: a"], ["Via: b"]),
        ] as [([String], [String], [String], [String])])
    func beside(beside: [String], sent: [String], now: [String], merged: [String]) {
        let (beside, sent, now, result) = (Header(beside), Header(sent), Header(now), Header([]))
        HeaderMerge(bh_answer_header_t(sent: sent.fields, now: now.fields, edits: true), into: result.result)
            .addBeside(beside.fields)
        #expect(result.added == merged)
    }

    @Test(
        arguments: [
            (["Set-Cookie: a", "X: 1", "set-cookie: b"], ["Set-Cookie: a"], ["X: 1", "set-cookie: b"]),
            // The server's own cookie, which is the same, stays.
            (["Set-Cookie: a", "Set-Cookie: a"], ["Set-Cookie: a"], ["Set-Cookie: a"]),
            (["Set-Cookie: a", "X: 1"], ["X: 1"], ["Set-Cookie: a", "X: 1"]),
            (["Set-Cookie: a=1"], ["Set-Cookie: a=2"], ["Set-Cookie: a=1"]),
        ] as [([String], [String], [String])])
    func sent(sent: [String], own: [String], rest: [String]) {
        let (sent, own, result) = (Header(sent), Header(own), Header([]))
        addLines(of: sent.fields, withoutCookiesOf: own.fields, to: result.result)
        #expect(result.added == rest)
    }
}
