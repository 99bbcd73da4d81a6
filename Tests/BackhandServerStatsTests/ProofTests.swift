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

    /// Its number says when it was made, however many were lost before.
    @Test func lateOnesNeedIt() {
        var writer = table.writer(keyed: true)
        _ = writer.hear(announcement(boot: 7, sequence: 5), now: 1000, wall: 5)
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 25), now: 21_200), "lost: 19 in a row")
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 6), now: 4999))
        #expect(writer.needsProof(announcement(boot: 7, sequence: 6), now: 5000))
    }

    /// Nobody can stretch the time between announcements little by little.
    @Test func delaysAddUp() {
        var writer = table.writer(keyed: true)
        for number in UInt64(0)...5 {
            #expect(!writer.needsProof(announcement(boot: 7, sequence: 5 + number), now: 1000 + 1500 * number) || number == 0)
            _ = writer.hear(announcement(boot: 7, sequence: 5 + number), now: 1000 + 1500 * number, wall: 5)
        }
        #expect(writer.needsProof(announcement(boot: 7, sequence: 11), now: 10_000))
        // What has proved itself is fresh, however late it is.
        _ = writer.hear(announcement(boot: 7, sequence: 11), now: 10_000, wall: 5)
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 12), now: 13_999))
        #expect(writer.needsProof(announcement(boot: 7, sequence: 12), now: 14_000))
    }

    /// The clock runs from the soonest: numbers that came between the seconds do not count as time.
    @Test func earlyOnesSetTheClock() {
        var writer = table.writer(keyed: true)
        _ = writer.hear(announcement(boot: 7, sequence: 5), now: 1000, wall: 5)
        _ = writer.hear(announcement(boot: 7, sequence: 9), now: 1100, wall: 5)
        #expect(writer.needsProof(announcement(boot: 7, sequence: 10), now: 5100))
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 10), now: 5099))
        // A number far ahead ends no counting.
        _ = writer.hear(announcement(boot: 7, sequence: .max - 1), now: 1200, wall: 5)
        #expect(!writer.needsProof(announcement(boot: 7, sequence: .max), now: 2200))
    }

    /// An old number is believed only after silence, and then not without proof.
    @Test func oldNumbersNeedItAfterSilence() {
        var writer = table.writer(keyed: true)
        _ = writer.hear(announcement(boot: 7, sequence: 5), now: 1000, wall: 5)
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 5), now: 3999), "repeated")
        #expect(writer.needsProof(announcement(boot: 7, sequence: 5), now: 4000))
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
