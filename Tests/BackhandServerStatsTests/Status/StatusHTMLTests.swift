// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

private func html(
    _ table: TestSegment, now: UInt64 = 10_000, most: Int = .max
) -> (text: String, complete: Bool, pieces: Int) {
    var text: [UInt8] = []
    var pieces = 0
    let complete = writeSegmentHTML(table.segment, rows: bh_segment_rows(table.segment), now: now) { piece in
        text += piece
        pieces += 1
        return pieces <= most
    }
    return (String(decoding: text, as: UTF8.self), complete, pieces)
}

/// The rows that have this in them.
private func lines(_ text: String, with word: String) -> [String] {
    text.split(separator: "\n").map(String.init).filter { $0.contains(word) }
}

/// For each row of web7, whether it begins so.
private func starts(of text: String, _ begin: String) -> [Bool] {
    lines(text, with: "web7").map { $0.hasPrefix(begin) }
}

@Suite struct StatusHTMLTests {
    @Test func anEmptyTableHasItsHeadings() {
        let text = html(TestSegment()).text
        #expect(lines(text, with: "<table>").count == 2 && lines(text, with: "</table>").count == 2)
        #expect(lines(text, with: "<td").isEmpty && !text.contains("Heard, but"))
        #expect(
            lines(text, with: "<th>Entry</th>") == [
                "<thead><tr><th>Entry</th><th class=\"text\">Hostname</th><th>Age</th><th class=\"text\">Address</th>"
                    + "<th>Total Mem</th><th>Avail Mem</th><th>Ready/Total</th><th>~ms/req [#req]</th><th>Arriba</th>"
                    + "<th>CPUs</th><th>Load/HWM</th><th>CPU Idle</th><th>Kept</th><th class=\"text\">State</th>"
                    + "<th class=\"text\">Why</th></tr></thead>",
                "<thead><tr><th>Entry</th><th class=\"text\">Hostname</th><th>Age</th><th class=\"text\">Address</th>"
                    + "<th>In Flight</th><th>Req/s</th><th>First Byte</th><th>Whole</th><th>CPU Used</th>"
                    + "<th>Capacity</th><th>Errors</th><th>Dispatched</th></tr></thead>",
            ])
    }

    /// Of a member that announces nothing what this httpd sees is shown, and of one that may come later nothing.
    @Test func membersAreShown() {
        let table = TestSegment()
        #expect(table.name([place("10.0.0.4"), place("10.0.0.5", 81)]) == [1, 2])
        table.row(2).pointee.served = 3
        order(BH_STATE_DRAINING, in: table.segment, 2)
        let begin = "<tr><td>2</td><td class=\"text\">b.test</td><td>-</td><td class=\"text\">10.0.0.5:81</td>"
        let end = "<td>0</td><td class=\"text\">draining</td><td class=\"text\">drained (here)</td></tr>"
        let figures = "<td>-</td><td>-</td><td>-</td><td>0 [3]</td><td>-</td><td>-</td><td>-</td><td>-</td>"
        #expect(lines(html(table, now: 900_000).text, with: "b.test") == [begin + figures + end])
        #expect(table.name([place("10.0.0.4")], reserved: true) == [1])
        #expect(!html(table).text.contains(".test"))
        #expect(bh_row_claim(table.row(1), 7) && html(table).text.contains("a.test"))
    }

    /// One that has announced something is silent, however long ago that was.
    @Test func silentMembersAreShown() {
        let table = TestSegment()
        #expect(table.name([place("10.0.0.4")]) == [1])
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4"), now: 2000, wall: 5) == .row(1))
        writer.expire(after: 60_000, now: 70_000)
        bh_word_store(&table.segment.pointee.beat_ms, 902_000)
        let begin =
            "<tr class=\"stale\"><td>1</td><td class=\"text\">web1</td><td>900</td><td class=\"text\">10.0.0.4:80</td>"
        let end = "<td>0</td><td class=\"text\">up</td><td class=\"text\">silent 900 s</td></tr>"
        let figures = "<td>-</td><td>-</td><td>-</td><td>0 [0]</td><td>-</td><td>-</td><td>-</td><td>-</td>"
        #expect(lines(html(table, now: 902_000).text, with: "web1") == [begin + figures + end])
    }

    @Test func everyColumnIsWritten() {
        let table = TestSegment()
        var facts = announcement("2001:db8::7", port: 8080, hostname: "web7")
        facts.mean_in_flight = 2050
        facts.arrival_rate = 1500
        facts.first_byte_us = 12_345
        facts.latency_us = 950
        facts.cpu_used = 1758
        facts.capacity = 2939
        facts.error_ppm = 15_999
        facts.dispatched = 77
        var writer = table.writer()
        writer.writeSelf(announcement("10.0.0.1", boot: 1, hostname: "me"), now: 9000, wall: 1)
        #expect(writer.hear(facts, now: 8500, wall: 1) == .row(1))
        let row = table.publicRow(1)
        (row.pointee.tmem, row.pointee.amem, row.pointee.aservers, row.pointee.nservers) = (124, 62, 15, 20)
        (row.pointee.tatime, row.pointee.numbacked, row.pointee.arriba, row.pointee.ncpu) = (12, 3, 734_832, 4)
        order(BH_STATE_DRAINING, in: table.segment, 1)
        (row.pointee.load, row.pointee.load_hwm, row.pointee.cpu) = (-3705, 8000, 71)
        let text = html(table).text
        let first =
            "<td>1</td><td class=\"text\">web7</td><td>1</td><td class=\"text\">[2001:db8::7]:8080</td>"
        #expect(
            lines(text, with: "web7") == [
                "<tr>" + first + "<td>124 MB</td><td>62 MB</td><td>15/20</td><td>12 [3]</td><td>734832</td><td>4</td>"
                    + "<td>-3.705/8</td><td>0.071</td><td>0</td><td class=\"text\">draining</td>"
                    + "<td class=\"text\">drained (here)</td></tr>",
                "<tr>" + first + "<td>2.0</td><td>2</td><td>12.3 ms</td><td>1.0 ms</td><td>1.76</td><td>2939</td>"
                    + "<td>1.6 %</td><td>77</td></tr>",
            ])
        #expect(lines(text, with: ">me<").map { $0.hasPrefix("<tr class=\"own\"><td>0</td>") } == [true, true])
        #expect(starts(of: html(table, now: 28_501).text, "<tr class=\"stale\">") == [true, true])
        #expect(starts(of: html(table, now: 28_500).text, "<tr><td>1</td>") == [true, true])
    }

    /// As httpd's own formatter rounds: half up, from the binary fraction.
    @Test(arguments: [
        (UInt32(0), "0.0 ms"), (1, "0.0 ms"), (49, "0.0 ms"), (50, "0.1 ms"), (99_960, "100.0 ms"), (2050, "2.0 ms"),
        (.max, "4294967.3 ms"),
    ])
    func timesAreRounded(_ microseconds: UInt32, shown: String) {
        let table = TestSegment()
        var facts = announcement()
        facts.first_byte_us = microseconds
        var writer = table.writer()
        #expect(writer.hear(facts, now: 9000, wall: 1) == .row(1))
        #expect(lines(html(table).text, with: "<td>\(shown)</td><td>0.0 ms</td><td>0.00</td>").count == 1)
    }

    @Test(arguments: [
        ("web1", "web1"),
        ("<b>", "&lt;b&gt;"),
        ("\"><script>x</script>", "&quot;&gt;&lt;script&gt;x&lt;/script&gt;"),
        ("&lt;", "&amp;lt;"),
        ("a&b", "a&amp;b"),
        ("", ""),
        // As long as there is room for.
        (String(repeating: "<", count: 63), String(repeating: "&lt;", count: 63)),
    ])
    func announcedNamesAreText(_ name: String, shown: String) {
        let table = TestSegment()
        var writer = table.writer()
        #expect(writer.hear(announcement(hostname: name), now: 9000, wall: 1) == .row(1))
        let expected = "<tr><td>1</td><td class=\"text\">\(shown)</td><td>1</td>"
        #expect(lines(html(table).text, with: "10.0.0.4:80").map { $0.hasPrefix(expected) } == [true, true])
    }

    /// The children's user may write all of the segment.
    @Test func aNameWithoutAnEndEndsWithItsRoom() {
        let table = TestSegment()
        var writer = table.writer()
        #expect(writer.hear(announcement(), now: 9000, wall: 1) == .row(1))
        var facts = announcement()
        withUnsafeMutableBytes(of: &facts.hostname) { for index in $0.indices { $0[index] = UInt8(ascii: "&") } }
        bh_row_store(table.row(1), &facts)
        let name = String(repeating: "&amp;", count: Int(BH_HOSTNAME_SIZE) - 1)
        #expect(lines(html(table).text, with: ">" + name + "<").count == 2)
    }

    @Test func sendersOutsideOfTheTable() {
        let table = TestSegment()
        bh_segment_set_sender(table.segment, 0, bh_address_t(ipv4: 0x0a00_0005), BH_COUNT_UNSIGNED.rawValue, 4, 7000)
        bh_segment_set_sender(table.segment, 1, bh_address_t(ipv4: 0x0a00_0006), BH_COUNT_FOREIGN.rawValue, 1, 7000)
        let text = html(table).text
        #expect(
            lines(text, with: "10.0.0.") == [
                "<tr><td class=\"text\">10.0.0.5</td><td class=\"text\">no key</td><td>3</td><td>4</td></tr>"
            ])
        #expect(lines(text, with: "<h2>Heard, but not in the table</h2>").count == 1)
    }

    @Test func theSinkStopsIt() {
        let table = TestSegment()
        var writer = table.writer()
        for server in 1...50 {
            _ = writer.hear(announcement("10.0.1.\(server)", boot: UInt64(server)), now: 9000, wall: 1)
        }
        #expect(html(table).complete)
        for most in 0...2 {
            let stopped = html(table, most: most)
            #expect(!stopped.complete && stopped.pieces == most + 1)
        }
    }
}
