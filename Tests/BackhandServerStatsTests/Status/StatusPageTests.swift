// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

/// What a writer has got.
private struct Room {
    let most: Int
    var text: [UInt8] = []
    var pieces = 0
}

/// The page for a client, with what the change made of it.
private func page(_ table: TestSegment?, most: Int = .max, _ change: (inout bh_page_t) -> Void = { _ in }) -> String? {
    "web1<&".withCString { server in
        "10.0.0.9".withCString { client in
            var about = bh_page_t()
            (about.now_ms, about.wall_s, about.server, about.client) = (10_000, 1_700_000_000, server, client)
            change(&about)
            about.trouble = troubleText(table.map { UnsafePointer($0.segment) }, about)
            var room = Room(most: most)
            let complete = withUnsafeMutablePointer(to: &room) { room in
                writeStatusPage(
                    table.map { UnsafePointer($0.segment) }, about,
                    { baton, piece, count in
                        let room = baton!.assumingMemoryBound(to: Room.self)
                        room.pointee.text += UnsafeRawBufferPointer(start: piece, count: count)
                        room.pointee.pieces += 1
                        return room.pointee.pieces <= room.pointee.most
                    }, room)
            }
            return complete ? String(decoding: room.text, as: UTF8.self) : nil
        }
    }
}

@Suite struct StatusPageTests {
    @Test func theHeadSurroundsTheTables() throws {
        let text = try #require(page(TestSegment()))
        #expect(text.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">") && text.hasSuffix("</table>\n</body></html>\n"))
        #expect(
            text.contains("<dt>Server</dt><dd>web1&lt;&amp;</dd><dt>Version</dt><dd>mod_backhand \(BACKHAND_VERSION)"))
        #expect(text.contains("<dt>Your address</dt><dd>10.0.0.9</dd></dl>\n<p>This table tells nothing of now: the"))
    }

    @Test func withoutASegmentItSaysWhy() throws {
        let text = try #require(page(nil))
        #expect(!text.contains("<table>") && text.contains("now: there is no moderator: UnixSocketDir is missing.</p>"))
        #expect(try #require(page(nil) { $0.has_directory = true }).contains("it cannot start, and the error log says"))
        #expect(
            page(nil) { $0.json = true } == """
                {"version":"\(BACKHAND_VERSION)","now":1700000000,\
                "trouble":"there is no moderator: UnixSocketDir is missing","servers":[]}

                """)
    }

    @Test(arguments: [false, true]) func aSinkMayStopIt(json: Bool) {
        let table = TestSegment()
        for most in 0..<(json ? 1 : 2) { #expect(page(table, most: most) { $0.json = json } == nil) }
    }
}

@Suite struct StatusFiguresTests {
    private func figures(_ table: TestSegment, lines: Bool, now: UInt64) -> String {
        var text: [UInt8] = []
        let complete = writeFigures(table.segment, lines: lines, now: now) { piece in
            text += piece
            return true
        }
        #expect(complete)
        return String(decoding: text, as: UTF8.self)
    }

    @Test func sumsAreThoseOfTheOtherServers() {
        let table = TestSegment()
        var writer = table.writer()
        writer.writeSelf(announcement("10.0.0.1", boot: 1, hostname: "me"), now: 9000, wall: 1)
        #expect(writer.hear(announcement("10.0.0.2", boot: 2), now: 9000, wall: 1) == .row(1))
        #expect(writer.hear(announcement("10.0.0.3", boot: 3), now: 29_500, wall: 1) == .row(2))
        for id in UInt32(0)...2 {
            bh_half_store(&table.row(id).pointee.in_flight, 3)
            bh_word_store(&table.row(id).pointee.served, 40)
            bh_word_store(&table.row(id).pointee.failed, 5)
        }
        bh_word_store(&table.segment.pointee.arrivals, 7)
        bh_half_store(&table.segment.pointee.unattended, 1)
        #expect(
            figures(table, lines: true, now: 30_000) == """
                BackhandServersKnown: 2
                BackhandServersHeard: 1
                BackhandServersBackedOff: 0
                BackhandArrivals: 7
                BackhandProxied: 80
                BackhandFailed: 10
                BackhandInFlight: 6
                BackhandUnattended: 1

                """)
        #expect(
            figures(table, lines: false, now: 30_000) == """
                <hr />
                <h1>Backhand</h1>
                <dl><dt>Other servers: 2 known, 1 heard within 20 seconds, 0 left out for refused connections</dt>
                <dt>Requests received: 7; sent to other servers: 80 answered, 10 failed, 6 under way</dt>
                <dt>No moderator keeps the table up to date, so no request is sent to another server</dt>
                </dl>

                """)
    }
}
