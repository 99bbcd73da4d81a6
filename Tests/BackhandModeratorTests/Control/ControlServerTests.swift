// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import BackhandTestbed
import Foundation
import Testing

@testable import BackhandModerator

/// Sends a text and reads until the end, at most so long.
private func ask(_ path: Path, _ text: String, within milliseconds: UInt64 = 10_000) throws -> String? {
    let socket = try StreamSocket(connectingTo: path)
    defer { socket.close() }
    _ = try Array(text.utf8).withUnsafeBytes { try socket.send($0) }
    return readAll(socket, within: milliseconds)
}

/// What comes until the end; nil if the end does not come in time.
private func readAll(_ socket: StreamSocket, within milliseconds: UInt64) -> String? {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
    defer { room.deallocate() }
    var answer: [UInt8] = []
    let ended = eventually(within: milliseconds) {
        do throws(SystemError) {
            let count = try socket.receive(into: room)
            answer += room[..<count]
            return count == 0
        } catch {
            return !error.isLater
        }
    }
    return ended ? String(decoding: answer, as: UTF8.self) : nil
}

/// A moderator with a control socket.
private func withControlled(
    rows: UInt32 = 0, _ body: (RunningModerator, Path) throws -> Void
) throws {
    try withTemporaryDirectory { directory in
        let path = Path(directory + "/control.sock")
        let listener = StreamSocket(fd: listen(at: directory + "/control.sock"))
        defer { listener.close() }
        try "1000".write(toFile: directory + "/mod_backhand-Arriba", atomically: true, encoding: .utf8)
        let moderator = try RunningModerator(Setting(hostname: "asked", directory: directory, control: listener.fd))
        var writer = StatsWriter(segment: moderator.segment, epoch: bh_segment_own(moderator.segment, 1))
        for row in 0..<rows {
            var facts = bh_facts_t()
            facts.address = bh_address_t(ipv4: 0x7f01_0000 + row)
            facts.port = 80
            facts.boot_id = UInt64(row) + 1
            facts.sequence = 1
            #expect(writer.hear(facts, now: 1, wall: 1) == .row(row + 1))
        }
        _ = moderator.start()
        defer { moderator.finish() }
        #expect(eventually(within: 10_000) { moderator.facts(0) != nil })
        try body(moderator, path)
    }
}

@Suite(.serialized) struct ControlServerTests {
    @Test func theTableIsAnswered() throws {
        try withControlled { _, path in
            let answer = try #require(try ask(path, "status\n"))
            let object = try #require(try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any])
            let servers = try #require(object["servers"] as? [[String: Any]])
            #expect(servers.map { $0["hostname"] as? String } == ["asked"])
        }
    }

    @Test(arguments: [
        ("stop\n", "{\"error\":\"unknown command\"}\n"),
        (String(repeating: "x", count: 300), "{\"error\":\"line too long\"}\n"),
    ])
    func whatIsNoCommandIsAnError(text: String, expected: String) throws {
        try withControlled { _, path in
            let answer = try ask(path, text)
            #expect(answer == expected)
        }
    }

    @Test func aSlowReaderHoldsNobodyUp() throws {
        try withControlled(rows: 700) { moderator, path in
            let slow = try StreamSocket(connectingTo: path)
            defer { slow.close() }
            _ = try Array("status\n".utf8).withUnsafeBytes { try slow.send($0) }
            let before = bh_word_load(&moderator.segment.pointee.sequence)
            // Two tables, written by a debug build, beside whatever else the machine does: the first reader is ended
            // after five seconds in which it takes nothing.
            let answer = try #require(try ask(path, "status\n", within: 10_000))
            #expect(answer.utf8.count > 500_000, "more than a socket's buffer holds")
            #expect(eventually(within: 1000) { bh_word_load(&moderator.segment.pointee.sequence) >= before + 3 })
            // It reads only now, and gets it all.
            #expect(readAll(slow, within: 10_000)?.hasSuffix("}\n") == true)
        }
    }

    @Test func whoDoesNothingIsEndedAndMakesRoom() throws {
        try withControlled(rows: 2000) { _, path in
            let start = monotonicMilliseconds()
            // As many as are let in: some silent, some that never read.
            let idle = try (0..<ControlServer.clientLimit).map { _ in try StreamSocket(connectingTo: path) }
            defer { idle.forEach { $0.close() } }
            for socket in idle.prefix(8) { _ = try Array("status\n".utf8).withUnsafeBytes { try socket.send($0) } }
            let refused = try ask(path, "status\n", within: 500)
            #expect(refused == nil, "the house is full")
            let answer = try ask(path, "status\n", within: 15_000)
            #expect(answer?.hasSuffix("}\n") == true)
            #expect((4500...15_000).contains(monotonicMilliseconds() - start))
        }
    }
}
