// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@Suite struct BackoffTests {
    /// Twice as long after each refusal in a row; each 16 s without one takes a doubling back, and an answer all.
    @Test func growsAndDecays() {
        let table = TestSegment(bootID: 1)
        let row = table.row(1)
        for (now, until) in [
            (1000, 2000), (1500, 2000), (2000, 4000), (4000, 8000), (24_000, 28_000), (188_000, 189_000),
        ] as [(UInt64, UInt64)] {
            noteUnreached(table.segment, 1, now: now, took: 0)
            #expect(bh_row_backoff(row) == until)
        }
        noteUnreached(table.segment, 1, now: 189_000, took: 0)
        #expect(bh_row_backoff(row) == 191_000)
        noteServed(table.segment, 1, 10)
        #expect(bh_row_backoff(row) == 0)
        noteUnreached(table.segment, 1, now: 200_000, took: 0)
        #expect(bh_row_backoff(row) == 201_000)
    }

    /// However many there were: a minute takes them all back.
    @Test func hasAnEnd() {
        let table = TestSegment(bootID: 1)
        let row = table.row(1)
        for _ in 0..<60 { noteUnreached(table.segment, 1, now: bh_row_backoff(row) + 1, took: 0) }
        var end = bh_row_backoff(row)
        noteUnreached(table.segment, 1, now: end + 16_000, took: 0)
        #expect(bh_row_backoff(row) == end + 16_000 + 8000)
        end = bh_row_backoff(row)
        noteUnreached(table.segment, 1, now: end + 64_000, took: 0)
        #expect(bh_row_backoff(row) == end + 64_000 + 1000)
    }

    /// What no child has written is no back-off, and the next refusal is one.
    @Test func noise() {
        let table = TestSegment(bootID: 1)
        bh_word_store(&bh_segment_row_mutable(table.segment, 1).pointee.backoff_until_ms, .max)
        #expect(!bh_row_is_refusing(table.row(1), 1000))
        noteUnreached(table.segment, 1, now: 1000, took: 0)
        #expect(bh_row_is_refusing(table.row(1), 1999) && !bh_row_is_refusing(table.row(1), 2000))
    }
}
