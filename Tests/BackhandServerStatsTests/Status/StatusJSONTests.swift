// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Foundation
import Testing

/// What the sink got, and in which pieces.
private struct Output {
    var text: [UInt8] = []
    var longest = 0
    var pieces = 0
}

private func write(_ table: TestSegment, now: UInt64 = 10_000, wall: Int64 = 1_700_000_000) -> Output {
    var output = Output()
    let complete = writeSegmentJSON(table.segment, rows: bh_segment_rows(table.segment), now: now, wall: wall) {
        piece in
        output.text += piece
        output.longest = max(output.longest, piece.count)
        output.pieces += 1
        return true
    }
    #expect(complete)
    return output
}

private func parse(_ output: Output) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(output.text)) as? [String: Any])
}

private func servers(_ object: [String: Any]) throws -> [[String: Any]] {
    try #require(object["servers"] as? [[String: Any]])
}

@Suite struct StatusJSONTests {
    @Test func emptyTable() throws {
        let object = try parse(write(TestSegment()))
        #expect(Set(object.keys) == ["version", "now", "trouble", "self", "servers", "not_in_table", "counters"])
        #expect(object["version"] as? String == BACKHAND_VERSION)
        #expect(object["now"] as? Int64 == 1_700_000_000)
        #expect(try servers(object).isEmpty)
        let counters = try #require(object["counters"] as? [String: UInt64])
        #expect(counters.count == Int(BH_COUNTERS.rawValue))
        #expect(counters.values.allSatisfy { $0 == 0 })
    }

    @Test func membersThatAnnounceNothing() throws {
        let table = TestSegment()
        #expect(table.name([place("10.0.0.4")]) == [1])
        let server = try #require(try servers(parse(write(table, now: 900_000))).first)
        #expect(server["member"] as? Bool == true && server["hostname"] as? String == "a.test")
        #expect(server["address"] as? String == "10.0.0.4" && server["port"] as? Int == 80)
        #expect(server["reason"] as? String == "" && server["state"] as? String == "up")
        #expect(server["age_ms"] == nil && server["load"] == nil && server["in_flight"] as? Int == 0)
        #expect(server["up_ms"] == nil)
    }

    @Test func membersThatAreSilent() throws {
        let table = TestSegment()
        #expect(table.name([place("10.0.0.4")]) == [1])
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4"), now: 2000, wall: 5) == .row(1))
        writer.expire(after: 60_000, now: 70_000)
        bh_word_store(&table.segment.pointee.beat_ms, 902_000)
        let server = try #require(try servers(parse(write(table, now: 902_000))).first)
        #expect(server["age_ms"] as? Int == 900_000 && server["load"] == nil && server["last_announced"] == nil)
        #expect(server["up_ms"] == nil)
        #expect(server["reason"] as? String == "silent 900 s" && server["state"] as? String == "up")
    }

    /// Announced facts in which every field has a value of its own.
    private var everyFact: bh_facts_t {
        var facts = announcement("10.1.2.3", port: 8080, hostname: "web7")
        facts.arriba = 734_832
        facts.load = 3705
        facts.load_hwm = 512_000
        facts.cpu = 871
        facts.ncpu = 4
        facts.workers = 20
        facts.idle_workers = 15
        facts.total_memory = 130_764_800
        facts.free_memory = 65_651_904
        facts.worker_memory = 4_000_000
        facts.arrivals = 123_456
        facts.dispatched = 77
        facts.mean_in_flight = 2500
        facts.arrival_rate = 125_250
        facts.first_byte_us = 12_345
        facts.latency_us = 20_001
        facts.cpu_used = 1750
        facts.capacity = 2939
        facts.error_ppm = 15_999
        facts.slashes = 0x301
        facts.check = UInt32(BH_CHECK_FAILING) | BH_FINDING_STATUS.rawValue | 503 << 16
        withUnsafeMutableBytes(of: &facts.check_name) { $0.copyBytes(from: Array("/health".utf8)) }
        (facts.counts_connections, facts.connections, facts.listen_queue) = (1, 300, 7)
        (facts.idle_cost, facts.keepalive_ms, facts.keepalive_requests, facts.kept_workers) = (
            BH_IDLE_WORKER.rawValue, 5000, 100, 3
        )
        return facts
    }

    /// A table with itself and that server, of which something is known of everything.
    private func fullTable() -> TestSegment {
        let table = TestSegment(bootID: 0x0123_4567_89ab_cdef)
        var writer = table.writer(pid: 4321)
        writer.writeSelf(announcement("2001:db8::1", boot: 1, hostname: "me"), now: 9000, wall: 1_699_999_999)
        #expect(writer.hear(everyFact, now: 8500, wall: 1_699_999_998) == .row(1))
        for _ in 0..<3 { noteServed(table.segment, 1, 1_500_500) }
        bh_feedback_begin(table.segment, 0, 1, 0)
        _ = bh_keep_take(table.segment, 0, 1, 7)
        noteFailed(table.segment, 1)
        noteUnreached(table.segment, 1, now: 9500, took: 0)
        order(BH_STATE_DRAINING, in: table.segment, 1)
        table.segment.pointee.unattended = 1
        table.segment.pointee.sequence = 55
        table.segment.pointee.arriba = 99
        table.segment.pointee.arrivals = 66
        table.segment.pointee.beat_ms = 9900
        return table
    }

    /// What is said of that server.
    private let everyField: [String: NSObject] = [
        "id": 1 as NSNumber, "self": false as NSNumber, "own": false as NSNumber, "member": false as NSNumber,
        "hostname": "web7" as NSString,
        "address": "10.1.2.3" as NSString, "port": 8080 as NSNumber, "age_ms": 1500 as NSNumber,
        "last_announced": 1_699_999_998 as NSNumber, "clock_ahead_s": 0 as NSNumber, "load": 3.705 as NSNumber,
        "load_hwm": 512 as NSNumber,
        "cpu_idle": 0.871 as NSNumber, "ncpu": 4 as NSNumber, "arriba": 734_832 as NSNumber,
        "memory_total": 130_764_800 as NSNumber, "memory_available": 65_651_904 as NSNumber,
        "memory_worker": 4_000_000 as NSNumber, "workers": 20 as NSNumber, "workers_idle": 15 as NSNumber,
        "arrivals": 123_456 as NSNumber, "encoded_slashes": "NoDecode" as NSString, "merge_slashes": "Off" as NSString,
        "dispatched": 77 as NSNumber, "mean_in_flight": 2.5 as NSNumber,
        "arrival_rate": 125.25 as NSNumber, "first_byte_ms": 12.345 as NSNumber, "latency_ms": 20.001 as NSNumber,
        "cpu_used": 1.75 as NSNumber, "capacity": 2939 as NSNumber, "error_share": 0.015 as NSNumber,
        "concurrency": 3.999 as NSNumber, "in_flight": 1 as NSNumber, "served": 3 as NSNumber,
        "idle_cost": "worker" as NSString, "keepalive_ms": 5000 as NSNumber, "keepalive_requests": 100 as NSNumber,
        "workers_kept": 3 as NSNumber, "check": "status" as NSString, "check_failing": true as NSNumber,
        "check_status": 503 as NSNumber, "check_name": "/health" as NSString, "connections": 300 as NSNumber,
        "listen_queue": 7 as NSNumber,
        "kept": 1 as NSNumber, "failed": 1 as NSNumber, "refused": 1 as NSNumber, "mean_ms": 1500.5 as NSNumber,
        "backoff_ms": 500 as NSNumber, "state": "draining" as NSString, "announced": "up" as NSString,
        "ordered": "draining" as NSString, "reason": "drained (here)" as NSString, "up_ms": 1500 as NSNumber,
    ]

    @Test func everyFieldIsWritten() throws {
        let table = fullTable()
        let object = try parse(write(table))
        #expect((object["trouble"] as? String)?.hasPrefix("there is no moderator: it cannot start") == true)
        let rows = try servers(object)
        #expect(rows.count == 2)
        #expect(NSDictionary(dictionary: rows[1]) == NSDictionary(dictionary: everyField))
        #expect(rows[0]["self"] as? Bool == true && rows[0]["own"] as? Bool == true)
        #expect(rows[0]["id"] as? Int == 0)
        #expect(rows[0]["address"] as? String == "2001:db8::1")
        let own: [String: NSObject] = [
            "boot_id": "0123456789abcdef" as NSString, "sequence": 55 as NSNumber, "arriba": 99 as NSNumber,
            "arrivals": 66 as NSNumber, "moderator_pid": 4321 as NSNumber, "moderator_starts": 1 as NSNumber,
            "demand": 0 as NSNumber, "moderator_age_ms": 100 as NSNumber, "unattended": true as NSNumber,
            "rows": 2 as NSNumber, "rows_max": 2048 as NSNumber,
        ]
        #expect(
            NSDictionary(dictionary: try #require(object["self"] as? [String: Any])) == NSDictionary(dictionary: own))
        #expect((object["counters"] as? [String: UInt64])?["accepted"] == 1)
        let raw = String(decoding: write(table).text, as: UTF8.self)
        #expect(raw.contains("\"load\":3.705,"))
        #expect(raw.contains("\"load_hwm\":512.000,"))
        #expect(raw.contains("\"cpu_idle\":0.871,"))
        #expect(raw.hasSuffix("}\n"))
    }

    /// Numbers that cannot be: the text stays JSON, and shares stay shares.
    @Test func nonsense() throws {
        let table = TestSegment()
        var facts = announcement()
        facts.load = .min
        facts.load_hwm = -1
        facts.cpu = .max
        facts.ncpu = .min
        facts.arriba = .min
        facts.workers = -1
        facts.total_memory = .max
        var writer = table.writer()
        _ = writer.hear(facts, now: 99_000, wall: .min)
        table.row(1).pointee.served = 1
        table.row(1).pointee.service_us = .max
        table.row(1).pointee.backoff_until_ms = .max
        let output = write(table, now: 10_000, wall: .min)
        let row = try #require(try servers(try parse(output)).first)
        #expect(row["age_ms"] as? Int == 0)
        #expect(row["cpu_idle"] as? Double == 1)
        #expect(row["load"] as? Double == -2_147_483.648)
        #expect(row["load_hwm"] as? Double == -0.001)
        #expect(row["ncpu"] as? Int == Int(Int32.min))
        #expect(row["memory_total"] as? UInt64 == .max)
        #expect(row["mean_ms"] as? Double == 9_223_372_036_854_775.807)
        #expect(row["backoff_ms"] as? UInt64 == UInt64.max - 10_000)
        #expect(row["last_announced"] as? Int64 == .min)
    }

    /// Whatever bytes got into a name, the text is valid JSON in UTF-8.
    @Test(arguments: [
        ("quote\"back\\slash/", "quote\"back\\slash/"),
        ("tab\tnewline\nreturn\rbell\u{7}", "tab\tnewline\nreturn\rbell\u{7}"),
        ("</script><b>&amp;'", "</script><b>&amp;'"),
        ("\u{1}\u{1f}\u{7f}", "\u{1}\u{1f}\u{7f}"),
        ("caf\u{e9}", "caf\u{fffd}\u{fffd}"),
        ("", ""),
    ])
    func names(name: String, expected: String) throws {
        let table = TestSegment()
        var writer = table.writer()
        _ = writer.hear(announcement(hostname: name), now: 1000, wall: 5)
        #expect(try servers(parse(write(table))).first?["hostname"] as? String == expected)
    }

    @Test func everyByteInAName() throws {
        for start in stride(from: 0, to: 256, by: 32) {
            let table = TestSegment()
            var facts = announcement()
            withUnsafeMutableBytes(of: &facts.hostname) { name in
                for index in 0..<64 {
                    name[index] = UInt8((start + index) & 255) == 0 ? 1 : UInt8((start + index) & 255)
                }
            }
            var writer = table.writer()
            _ = writer.hear(facts, now: 1000, wall: 5)
            let name = try #require(try servers(parse(write(table))).first?["hostname"] as? String)
            #expect(name.unicodeScalars.count == 63)
        }
    }

    /// A full table comes in small pieces; a sink that wants no more gets no more.
    @Test func fullTableInPieces() throws {
        let (table, _) = FullTableTests.filled()
        let output = write(table)
        #expect(try servers(parse(output)).count == Int(BH_ROWS) - 1)
        #expect(output.longest <= 4096)
        #expect(output.pieces > 100)
        for stop in [1, 2, 50] {
            var got = 0
            let complete = writeSegmentJSON(table.segment, rows: bh_segment_rows(table.segment), now: 0, wall: 0) { _ in
                got += 1
                return got < stop
            }
            #expect(!complete)
            #expect(got == stop)
        }
    }

    /// The longest server that can be still fits behind a page that is just not full.
    @Test func longestServer() throws {
        let table = TestSegment()
        var writer = table.writer()
        for number in UInt64(2)..<40 {
            var facts = announcement("1111:2222:3333:4444:5555:6666:7777:\(8000 + number)", port: 65535, boot: number)
            withUnsafeMutableBytes(of: &facts.hostname) { for index in $0.indices { $0[index] = 0xff } }
            facts.load = .min
            facts.load_hwm = .min
            facts.ncpu = .min
            facts.arriba = .min
            facts.workers = .min
            facts.idle_workers = .min
            facts.total_memory = .max
            facts.free_memory = .max
            facts.worker_memory = .max
            facts.arrivals = .max
            _ = writer.hear(facts, now: 1, wall: .min)
            let row = table.row(UInt32(number - 1))
            row.pointee.served = .max
            row.pointee.failed = .max
            row.pointee.backoff_until_ms = .max
            row.pointee.in_flight = .max
            row.pointee.refused = .max
        }
        #expect(write(table, now: .max - 1).longest <= 4096)
        #expect(try servers(parse(write(table, now: .max - 1))).count == 38)
    }
}
