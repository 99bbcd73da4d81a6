// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@Suite struct MovingMeanTests {
    private func mean(_ samples: [(at: UInt64, value: UInt64)], tau: UInt64 = 1_000_000, clip: UInt64 = 4) -> UInt64 {
        var word: UInt64 = 0
        for sample in samples { bh_mean_add(&word, sample.at, sample.value, tau, clip) }
        return bh_mean_value(word)
    }

    private let hour: UInt64 = 3_600_000_000
    private func word(at now: UInt64) -> UInt64 {
        var word: UInt64 = 0
        bh_mean_add(&word, now, 20_000, 1_000_000, 4)
        return word
    }

    /// The first counts as it is; one that is tau later counts half, one at the same moment nothing.
    @Test func weights() {
        let start: UInt64 = 1 << 40
        #expect(mean([(start, 20_000)]) == 20_000)
        #expect(mean([(start, 20_000), (start + 1_000_000, 40_000)]) == 30_000)
        #expect(mean([(start, 20_000), (start, 40_000)]) == 20_000)
        #expect(mean([(start, 20_000), (start + 3_000_000, 0)]) == 5000)
        #expect([0, 1, 40, 75].map { bh_mean_age_us(word(at: start), start + $0 * hour) / hour } == [0, 1, 40, 75], "hours")
        // Another child's clock, a moment behind.
        #expect(mean([(start, 20_000), (start - 500, 80_000)]) == 20_000)
    }

    /// One request of 3 s counts as four times the mean; many in a row are believed soon.
    @Test func clips() {
        let start: UInt64 = 1 << 40
        #expect(mean([(start, 20_000), (start + 1_000_000, 3_000_000)]) == 50_000)
        #expect(mean([(start, 20_000), (start + 1_000_000, 3_000_000)], clip: 0) == 1_510_000)
        let slow = (1...8).map { (at: start + UInt64($0) * 1_000_000, value: UInt64(3_000_000)) }
        #expect(mean([(start, 20_000)] + slow) > 2_500_000)
    }

    @Test func extremes() {
        #expect(mean([(0, 0)]) == 0)
        #expect(mean([(0, 0), (1_000_000, .max)]) == 0, "four times almost nothing is almost nothing")
        #expect(mean([(1, .max)]) == 268_435_455)
        #expect(mean([(1, .max), (.max, .max)]) <= 268_435_455)
    }

    /// A failure is no time: neither a quick one, nor one that nobody answered.
    @Test func failures() {
        let table = TestSegment()
        let row = bh_segment_row_mutable(table.segment, 1)
        bh_feedback_time(table.segment, 1, 1 << 40, 900, 1000, true)
        #expect(row.pointee.latency == 0 && row.pointee.first_byte == 0)
        bh_feedback_time(table.segment, 1, 1 << 40 + 1_000_000, 900, 1000, false)
        #expect(bh_mean_value(row.pointee.latency) == 1000 && bh_mean_value(row.pointee.first_byte) == 900)
    }
}

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
        func answer(_ count: Int, milliseconds: UInt64) { for _ in 0..<count { bh_feedback_served(table.segment, 1, milliseconds * 1000) } }
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
    @Test func kappa() {
        var writer = table.writer()
        var facts = announcement("10.0.0.4", boot: 7, sequence: 1)
        _ = writer.hear(facts, now: 1000, wall: 5)
        writer.publishFeedback(nowMicroseconds: 1_000_000)
        facts.sequence = 2
        facts.arrivals = 1000
        facts.dispatched = 400
        _ = writer.hear(facts, now: 2000, wall: 6)
        for _ in 0..<150 { bh_feedback_served(table.segment, 1, 1) }
        writer.publishFeedback(nowMicroseconds: 2_000_000)
        #expect(table.segment.pointee.kappa == 4000)
        #expect(writer.dispatched == 150)
        // A restart: its counts begin again, and say nothing.
        facts.boot_id = 8
        facts.sequence = 1
        facts.arrivals = 5
        facts.dispatched = 0
        _ = writer.hear(facts, now: 3000, wall: 7)
        writer.publishFeedback(nowMicroseconds: 3_000_000)
        #expect(table.segment.pointee.kappa == 4000)
        // A new moderator has seen nothing yet: what its predecessor found holds.
        writer = table.writer()
        writer.publishFeedback(nowMicroseconds: 4_000_000)
        #expect(table.segment.pointee.kappa == 4000)
    }

    /// What this httpd serves itself is no work of a peer, and is announced as its own.
    @Test func own() {
        var writer = table.writer()
        writer.writeSelf(announcement("10.0.0.1"), now: 1000, wall: 5)
        writer.publishFeedback(nowMicroseconds: 1_000_000)
        for _ in 0..<30 { bh_feedback_served(table.segment, 0, 2000) }
        for _ in 0..<10 { bh_feedback_failed(table.segment, 0) }
        for _ in 0..<50 { bh_segment_arrival(table.segment) }
        writer.publishFeedback(nowMicroseconds: 1_500_000)
        #expect(writer.ownWindow.latency == 2000)
        #expect(writer.ownWindow.errorShare == 250_000)
        #expect(writer.ownWindow.arrivalRate == 100_000)
        #expect(writer.dispatched == 0 && table.segment.pointee.kappa == 0)
    }
}

@Suite struct BackoffTests {
    /// Twice as long after each refusal in a row; each 16 s without one takes a doubling back, and an answer all.
    @Test func growsAndDecays() {
        let table = TestSegment(bootID: 1)
        let row = table.row(1)
        for (now, until) in [(1000, 2000), (1500, 2000), (2000, 4000), (4000, 8000), (24_000, 28_000), (188_000, 189_000)] as [(UInt64, UInt64)] {
            bh_feedback_refused(table.segment, 1, now, 0)
            #expect(bh_row_backoff(row) == until)
        }
        bh_feedback_refused(table.segment, 1, 189_000, 0)
        #expect(bh_row_backoff(row) == 191_000)
        bh_feedback_served(table.segment, 1, 10)
        #expect(bh_row_backoff(row) == 0)
        bh_feedback_refused(table.segment, 1, 200_000, 0)
        #expect(bh_row_backoff(row) == 201_000)
    }

    /// However many there were: a minute takes them all back.
    @Test func hasAnEnd() {
        let table = TestSegment(bootID: 1)
        let row = table.row(1)
        for _ in 0..<60 { bh_feedback_refused(table.segment, 1, bh_row_backoff(row) + 1, 0) }
        var end = bh_row_backoff(row)
        bh_feedback_refused(table.segment, 1, end + 16_000, 0)
        #expect(bh_row_backoff(row) == end + 16_000 + 8000)
        end = bh_row_backoff(row)
        bh_feedback_refused(table.segment, 1, end + 64_000, 0)
        #expect(bh_row_backoff(row) == end + 64_000 + 1000)
    }

    /// What no child has written is no back-off, and the next refusal is one.
    @Test func noise() {
        let table = TestSegment(bootID: 1)
        bh_word_store(&bh_segment_row_mutable(table.segment, 1).pointee.backoff_until_ms, .max)
        #expect(!bh_row_is_refusing(table.row(1), 1000))
        bh_feedback_refused(table.segment, 1, 1000, 0)
        #expect(bh_row_is_refusing(table.row(1), 1999) && !bh_row_is_refusing(table.row(1), 2000))
    }
}
