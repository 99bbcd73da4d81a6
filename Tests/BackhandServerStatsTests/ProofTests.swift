// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

/// A writer that works with a key: what needs proof, and which rows of a predecessor count.
@Suite struct ProofTests {
    let table = TestSegment(bootID: 1)

    @Test func unknownServersNeedIt() {
        var writer = table.writer(keyed: true)
        #expect(writer.needsProof(announcement(boot: 7), now: 1000))
        #expect(!writer.needsProof(announcement(boot: 1), now: 1000), "our own")
        #expect(writer.hear(announcement(boot: 7, sequence: 5), now: 1000, wall: 5) == .row(1))
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 6), now: 2000))
        #expect(writer.needsProof(announcement(boot: 8, sequence: 6), now: 2000), "another httpd at the same address")
        #expect(table.facts(1)?.proven == 1)
    }

    /// Whoever was silent may have been recorded meanwhile.
    @Test func silentServersNeedItAgain() {
        var writer = table.writer(keyed: true)
        _ = writer.hear(announcement(boot: 7, sequence: 5), now: 1000, wall: 5)
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 8), now: 3999))
        #expect(writer.needsProof(announcement(boot: 7, sequence: 9), now: 4000))
    }

    @Test func withoutAKeyNobodyNeedsIt() {
        var writer = table.writer()
        #expect(!writer.needsProof(announcement(boot: 7), now: 1000))
        #expect(writer.hear(announcement(boot: 7), now: 1000, wall: 5) == .row(1))
        #expect(table.facts(1)?.proven == 0)
    }

    @Test func aSuccessorKnowsWhoHasProved() {
        var first = table.writer(keyed: true)
        _ = first.hear(announcement("10.0.0.4", boot: 7, sequence: 5), now: 1000, wall: 5)
        let second = table.writer(pid: 101, keyed: true)
        #expect(!second.needsProof(announcement("10.0.0.4", boot: 7, sequence: 6), now: 2000))
        #expect(bh_row_heard(table.row(1)) == 1000)
    }

    /// Rows of a time without a key are candidates no longer; the server finds its row and its feedback again.
    @Test func whatNobodyProvedIsHidden() {
        var first = table.writer()
        _ = first.hear(announcement("10.0.0.4", boot: 7, sequence: 5), now: 1000, wall: 5)
        bh_feedback_served(table.segment, 1, 3000)
        var second = table.writer(pid: 101, keyed: true)
        #expect(bh_row_heard(table.row(1)) == 0)
        #expect(second.needsProof(announcement("10.0.0.4", boot: 7, sequence: 6), now: 2000))
        #expect(!second.isNew(announcement("10.0.0.4", boot: 7, sequence: 6)))
        #expect(second.hear(announcement("10.0.0.4", boot: 7, sequence: 6), now: 2000, wall: 5) == .row(1))
        #expect(table.row(1).pointee.served == 1)
    }
}

@Suite struct ExpiryTests {
    let table = TestSegment(bootID: 1)

    @Test func silentServersAreForgotten() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7), now: 1000, wall: 5)
        _ = writer.hear(announcement("10.0.0.5", boot: 8), now: 2000, wall: 5)
        writer.expire(after: 60_000, now: 60_999)
        #expect(table.counter(BH_COUNT_EXPIRED) == 0)
        writer.expire(after: 60_000, now: 61_000)
        #expect(table.counter(BH_COUNT_EXPIRED) == 1)
        #expect(bh_row_heard(table.row(1)) == 0 && bh_row_heard(table.row(2)) == 2000)
        #expect(writer.isNew(announcement("10.0.0.4", boot: 7)))
        #expect(!writer.isNew(announcement("10.0.0.5", boot: 9)))
        #expect(!writer.isNew(announcement("10.0.0.6", boot: 8)))
        // Its row has been silent for a minute: the next server gets it, with nothing of the old one in it.
        #expect(writer.hear(announcement("10.0.0.6", boot: 9), now: 61_000, wall: 5) == .row(1))
        #expect(writer.hear(announcement("10.0.0.4", boot: 7), now: 61_000, wall: 5) == .row(3))
    }

    @Test func notWhileRequestsAreUnderWay() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7), now: 1000, wall: 5)
        bh_feedback_begin(table.segment, 0, 1, 0)
        writer.expire(after: 60_000, now: 900_000)
        #expect(table.facts(1)?.boot_id == 7 && table.counter(BH_COUNT_EXPIRED) == 0)
        bh_feedback_end(table.segment, 0, 1, 0)
        writer.expire(after: 60_000, now: 900_000)
        #expect(table.counter(BH_COUNT_EXPIRED) == 1)
        // A request that was decided before, and comes late, keeps the row from the next server.
        bh_feedback_begin(table.segment, 0, 1, 0)
        #expect(writer.hear(announcement("10.0.0.5", boot: 8), now: 900_000, wall: 5) == .row(2))
    }

    /// A row that another one has replaced is used again, but only after a minute.
    @Test func replacedRowsAreFreeAfterAMinute() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7, sequence: 50), now: 1000, wall: 5)
        _ = writer.hear(announcement("10.1.0.4", boot: 8, sequence: 1), now: 5000, wall: 5)
        #expect(writer.hear(announcement("10.0.0.4", boot: 8, sequence: 1), now: 5001, wall: 5) == .row(1))
        #expect(writer.hear(announcement("10.0.0.9", boot: 9), now: 65_000, wall: 5) == .row(3))
        #expect(writer.hear(announcement("10.0.0.10", boot: 10), now: 65_001, wall: 5) == .row(2))
        #expect(writer.hear(announcement("10.0.0.11", boot: 11), now: 65_001, wall: 5) == .row(4), "once only")
    }

    /// The successor does not know since when a row is empty: a minute from its predecessor's last round.
    @Test func emptyRowsOfAPredecessor() {
        var first = table.writer()
        _ = first.hear(announcement("10.0.0.4", boot: 7), now: 1000, wall: 5)
        _ = first.hear(announcement("10.0.0.5", boot: 8), now: 99_000, wall: 5)
        first.expire(after: 60_000, now: 100_000)
        bh_word_store(&table.segment.pointee.beat_ms, 100_000)
        var second = table.writer(pid: 101)
        #expect(second.hear(announcement("10.0.0.6", boot: 9), now: 159_999, wall: 5) == .row(3))
        #expect(second.hear(announcement("10.0.0.7", boot: 10), now: 160_000, wall: 5) == .row(1))
    }

    @Test func anotherOwner() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7), now: 1000, wall: 5)
        _ = table.writer(pid: 101)
        writer.expire(after: 60_000, now: 900_000)
        #expect(bh_row_heard(table.row(1)) == 1000)
    }
}
