// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandServerStats

/// Rights to keep a connection: a sum a row, of which each child has its part.
@Suite struct KeepTests {
    let table = TestSegment()
    var segment: UnsafeMutablePointer<bh_segment_t> { table.segment }
    var sum: UInt32 { bh_half_load(&bh_segment_row_mutable(segment, 1).pointee.kept) }

    @Test func noMoreThanThereAre() {
        #expect([true, true, false, false] == (0..<4).map { _ in bh_keep_take(segment, 0, 1, 2) })
        #expect(sum == 2)
        bh_keep_give(segment, 0, 1)
        #expect(bh_keep_take(segment, 1, 1, 2) && !bh_keep_take(segment, 1, 1, 2) && sum == 2)
        #expect(!bh_keep_take(segment, 0, 1, 0))
        // Where there is no bound, each is counted all the same; a child without a slot counts in the sum alone.
        #expect(bh_keep_take(segment, 0, 1, .max) && bh_keep_take(segment, -1, 1, .max) && sum == 4)
    }

    /// A child that is gone takes its part of each row along, and no more.
    @Test func whatADeadChildKept() {
        let slots = UInt32(4)
        #expect(bh_child_claim(segment, slots, 100) == 0 && bh_child_claim(segment, slots, 200) == 1)
        for _ in 0..<3 { _ = bh_keep_take(segment, 0, 1, 9) }
        _ = bh_keep_take(segment, 1, 1, 9)
        _ = bh_keep_take(segment, 0, 2, 9)
        bh_child_forget(segment, slots, 100, 0)
        #expect(sum == 1 && bh_half_load(&bh_segment_row_mutable(segment, 2).pointee.kept) == 0)
        bh_child_forget(segment, slots, 100, 0)
        #expect(sum == 1)
        bh_child_forget(segment, slots, 200, 0)
        #expect(sum == 0)
    }

    /// The sum goes by row: connections to the server that had it before count until they are closed.
    @Test func aRowThatGetsAnotherServer() {
        var writer = table.writer()
        let (old, new) = (announcement("10.0.0.4", boot: 4), announcement("10.0.0.5", boot: 5))
        #expect(writer.hear(old, now: 1000, wall: 5) == .row(1))
        #expect(bh_keep_take(segment, 0, 1, 9) && bh_keep_take(segment, 1, 1, 9))
        writer.expire(after: 60_000, now: 900_000)
        #expect(writer.hear(new, now: 1_800_000, wall: 6) == .row(1) && sum == 2)
        #expect(bh_keep_take(segment, 0, 1, 9))
        bh_keep_give(segment, 0, 1)
        bh_keep_give(segment, 1, 1)
        #expect(sum == 1)
        bh_keep_give(segment, 0, 1)
        #expect(sum == 0)
    }
}
