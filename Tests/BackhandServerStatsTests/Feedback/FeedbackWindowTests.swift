// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@Suite struct FeedbackWindowTests {
    let table = TestSegment()

    private func row(_ id: UInt32) -> UnsafeMutablePointer<bh_row_t> { bh_segment_row_mutable(table.segment, id) }

    /// Two requests for half of the window and one for all of it are two on average, whenever the window is looked at.
    @Test func meanInFlight() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4"), now: 1000, wall: 5)
        let start: UInt64 = 5_000_000
        writer.publishFeedback(nowMicroseconds: start)
        bh_feedback_begin(table.segment, -1, 1, start)
        for _ in 0..<2 { bh_feedback_begin(table.segment, -1, 1, start + 250_000) }
        for _ in 0..<2 { bh_feedback_end(table.segment, -1, 1, start + 750_000) }
        writer.publishFeedback(nowMicroseconds: start + 1_000_000)
        #expect(row(1).pointee.sent_mean == 2000)
        writer.publishFeedback(nowMicroseconds: start + 1_500_000)
        #expect(row(1).pointee.sent_mean == 1000)
        bh_feedback_end(table.segment, -1, 1, start + 1_500_000)
        writer.publishFeedback(nowMicroseconds: start + 2_500_000)
        #expect(row(1).pointee.sent_mean == 0)
    }

    /// The mean time that is shown is of the requests of late, whatever a new moderator has found in the table.
    @Test func recentTimes() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4"), now: 1000, wall: 5)
        func answer(_ count: Int, milliseconds: UInt64) {
            for _ in 0..<count { noteServed(table.segment, 1, milliseconds * 1000) }
        }
        var now: UInt64 = 1_000_000
        func shown(after rounds: Int, of count: Int, milliseconds: UInt64) -> Int32 {
            for _ in 0..<rounds {
                now += 1_000_000
                answer(count, milliseconds: milliseconds)
                writer.publishFeedback(nowMicroseconds: now)
            }
            return table.publicRow(1).pointee.tatime
        }
        answer(1000, milliseconds: 1000)
        writer.publishFeedback(nowMicroseconds: now)
        #expect(table.publicRow(1).pointee.tatime == 1000, "nothing newer is known")
        #expect(shown(after: 1, of: 10, milliseconds: 10) == 10, "one window is enough")
        #expect(shown(after: 60, of: 0, milliseconds: 0) == 10, "where there is nothing newer it stays")
        #expect(shown(after: 60, of: 10, milliseconds: 10) == 10)
        #expect((50...65).contains(shown(after: 7, of: 10, milliseconds: 100)), "half of it is of seven windows")
        #expect(shown(after: 60, of: 10, milliseconds: 100) == 99)
        #expect(table.publicRow(1).pointee.numbacked == 2280)
    }

    /// A child that dies takes nothing with it that would be missing for ever.
    @Test func childThatDies() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4"), now: 1000, wall: 5)
        let child = bh_child_claim(table.segment, 1, 77)
        writer.publishFeedback(nowMicroseconds: 1_000_000)
        bh_feedback_begin(table.segment, child, 1, 1_000_000)
        bh_child_forget(table.segment, 1, 77, 1_500_000)
        writer.publishFeedback(nowMicroseconds: 2_000_000)
        #expect(row(1).pointee.sent_mean == 500)
        writer.publishFeedback(nowMicroseconds: 3_000_000)
        #expect(row(1).pointee.sent_mean == 0)
    }

    /// The server worked on 600 of its 1000 arrivals itself, 150 of them ours: there are four of us.
    @Test func balancers() {
        var writer = table.writer()
        var facts = announcement("10.0.0.4", boot: 7, sequence: 1)
        _ = writer.hear(facts, now: 1000, wall: 5)
        writer.publishFeedback(nowMicroseconds: 1_000_000)
        facts.sequence = 2
        facts.arrivals = 1000
        facts.dispatched = 400
        _ = writer.hear(facts, now: 2000, wall: 6)
        for _ in 0..<150 { noteServed(table.segment, 1, 1) }
        writer.publishFeedback(nowMicroseconds: 2_000_000)
        #expect(table.segment.pointee.balancers == 4000)
        #expect(writer.dispatched == 150)
        // A restart: its counts begin again, and say nothing.
        facts.boot_id = 8
        facts.sequence = 1
        facts.arrivals = 5
        facts.dispatched = 0
        _ = writer.hear(facts, now: 3000, wall: 7)
        writer.publishFeedback(nowMicroseconds: 3_000_000)
        #expect(table.segment.pointee.balancers == 4000)
        // A new moderator has seen nothing yet: what its predecessor found holds.
        writer = table.writer()
        writer.publishFeedback(nowMicroseconds: 4_000_000)
        #expect(table.segment.pointee.balancers == 4000)
        writer.publishFeedback(nowMicroseconds: 5_000_000)
        #expect(table.segment.pointee.balancers == 4000, "nothing was sent meanwhile")
    }

    /// What this httpd serves itself is no work of a peer, and is announced as its own.
    @Test func own() {
        var writer = table.writer()
        writer.writeSelf(announcement("10.0.0.1"), now: 1000, wall: 5)
        writer.publishFeedback(nowMicroseconds: 1_000_000)
        for _ in 0..<30 { noteServed(table.segment, 0, 2000) }
        for _ in 0..<10 { noteFailed(table.segment, 0) }
        for _ in 0..<50 { bh_segment_arrival(table.segment) }
        writer.publishFeedback(nowMicroseconds: 1_500_000)
        #expect(writer.ownWindow.latency == 2000)
        #expect(writer.ownWindow.errorShare == 250_000)
        #expect(writer.ownWindow.arrivalRate == 100_000)
        #expect(writer.dispatched == 0 && table.segment.pointee.balancers == 0)
    }
}
