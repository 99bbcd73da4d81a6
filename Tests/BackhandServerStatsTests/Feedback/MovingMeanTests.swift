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
        #expect(
            [0, 1, 40, 75].map { bh_mean_age_us(word(at: start), start + $0 * hour) / hour } == [0, 1, 40, 75], "hours")
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
        noteTime(
            table.segment, 1, chain: 0, nowMicroseconds: 1 << 40, firstByte: 900, whole: 1000, kind: BH_CLASS_FAILED)
        #expect(row.pointee.latency == 0 && row.pointee.first_byte == 0)
        noteTime(
            table.segment, 1, chain: 0, nowMicroseconds: 1 << 40 + 1_000_000, firstByte: 900, whole: 1000,
            kind: BH_CLASS_GOOD)
        #expect(bh_mean_value(row.pointee.latency) == 1000 && bh_mean_value(row.pointee.first_byte) == 900)
    }
}
