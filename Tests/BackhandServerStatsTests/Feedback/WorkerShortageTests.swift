// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

/// A balancer that hears a server of four workers once a second.
@Suite struct WorkerShortageTests {
    let table = TestSegment()
    private var row: UnsafeMutablePointer<bh_row_t> { table.row(1) }

    /// A second passes, and it says how many are idle and how long requests took there.
    private func pass(_ writer: inout StatsWriter, _ second: UInt64, idle: Int32, took: UInt32 = 0, lost: Bool = false)
    {
        var facts = announcement("10.0.0.4", sequence: second)
        (facts.workers, facts.idle_workers, facts.latency_us) = (4, idle, took)
        if !lost { _ = writer.hear(facts, now: second * 1000, wall: 5) }
        writer.publishFeedback(nowMicroseconds: second * 1_000_000)
    }

    private func see(_ milliseconds: UInt64, slot: UInt32 = 0) {
        bh_word_store(bh_row_latency(row, slot), bh_mean_word(milliseconds * 1000, 1_000_000))
    }
    private func seen(slot: UInt32 = 0) -> UInt64 { bh_mean_value(bh_word_load(bh_row_latency(row, slot))) / 1000 }

    /// Since the first of the announcements that have few.
    @Test func since() {
        var writer = table.writer()
        var seen: [UInt64] = []
        for (second, idle) in [4, 0, 0, 1, 0].enumerated() {
            pass(&writer, UInt64(second + 1), idle: Int32(idle))
            seen.append(bh_segment_short(table.segment, 1))
        }
        #expect(seen == [0, 2000, 2000, 0, 5000])
    }

    /// The first announcement counts at once: until there are two, nothing else is known.
    @Test func first() {
        var writer = table.writer()
        var facts = announcement("10.0.0.4", sequence: 1)
        (facts.workers, facts.idle_workers) = (4, 3)
        _ = writer.hear(facts, now: 1000, wall: 5)
        #expect(bh_segment_spare(table.segment, 1) == 3)
    }

    /// One announcement alone is a moment.
    @Test func idle() {
        var writer = table.writer()
        var seen: [UInt32] = []
        for (second, idle) in [3, 4, 0, 4, 2, -1].enumerated() {
            pass(&writer, UInt64(second + 1), idle: Int32(idle))
            seen.append(bh_segment_spare(table.segment, 1))
        }
        #expect(seen == [3, 3, 0, 0, 2, 0])
    }

    /// Two announcements that happen to find idle workers are not quite enough; after more of them they count whole.
    @Test func mean() {
        var writer = table.writer()
        var seen: [UInt32] = []
        for (second, idle) in [0, 4, 4, 4, 4, 4].enumerated() {
            pass(&writer, UInt64(second + 1), idle: Int32(idle))
            seen.append(bh_segment_spare(table.segment, 1))
        }
        #expect(seen == [0, 0, 3, 3, 3, 4])
    }

    /// A wait is forgotten when two announcements have idle workers; a time that is near the server's own is not.
    @Test func waits() {
        var writer = table.writer()
        pass(&writer, 1, idle: 0)
        see(5000)
        see(190, slot: 3)
        pass(&writer, 2, idle: 0, took: 50_000)
        pass(&writer, 3, idle: 2, took: 50_000)
        #expect(seen() == 5000, "what has waited is just being answered")
        pass(&writer, 4, idle: 2, took: 50_000, lost: true)
        #expect(seen() == 5000, "nothing new was heard")
        pass(&writer, 5, idle: 2, took: 50_000)
        #expect(seen() == 0 && seen(slot: 3) == 190)
        see(5000)
        pass(&writer, 6, idle: 2, took: 50_000)
        pass(&writer, 7, idle: 2, took: 50_000)
        #expect(seen() == 5000, "without a shortage it is slow")
    }

    /// What was known before the shortage holds again; a time that was long before is no wait, however quick the
    /// server's other requests are.
    @Test func before() {
        var writer = table.writer()
        pass(&writer, 1, idle: 4, took: 5000)
        see(20)
        see(300, slot: 3)
        pass(&writer, 2, idle: 0, took: 5000)
        see(5000)
        see(310, slot: 3)
        pass(&writer, 3, idle: 4, took: 5000)
        pass(&writer, 4, idle: 4, took: 5000)
        #expect(seen() == 20 && seen(slot: 3) == 310)
    }

    /// A new moderator settles what its predecessor has seen begin.
    @Test func successor() {
        var writer = table.writer()
        pass(&writer, 1, idle: 0, took: 50_000)
        see(5000)
        writer = table.writer()
        pass(&writer, 2, idle: 4, took: 50_000)
        pass(&writer, 3, idle: 4, took: 50_000)
        #expect(seen() == 0)
    }

    /// Without requests it is asked again.
    @Test func unasked() {
        var writer = table.writer()
        pass(&writer, 1, idle: 0)
        see(300)
        pass(&writer, 2, idle: 4)
        pass(&writer, 3, idle: 4)
        #expect(seen() == 0)
    }
}
