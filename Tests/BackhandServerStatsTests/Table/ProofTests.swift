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

    /// Its time of sending says how fresh it is, however many were lost before. The clocks began at different times.
    @Test(arguments: [1000, 77_000_000, 0, UInt64.max - 500] as [UInt64])
    func lateOnesNeedIt(begin: UInt64) {
        var writer = table.writer(keyed: true)
        _ = writer.hear(announcement(boot: 7, sequence: 5, sent: begin), now: 1000, wall: 5)
        #expect(
            !writer.needsProof(announcement(boot: 7, sequence: 25, sent: begin &+ 20_000), now: 21_200),
            "lost: 19 in a row")
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 6, sent: begin &+ 1000), now: 4999))
        #expect(writer.needsProof(announcement(boot: 7, sequence: 6, sent: begin &+ 1000), now: 5000))
        // Numbers are no time: orders by hand make some between the seconds.
        #expect(writer.needsProof(announcement(boot: 7, sequence: 95, sent: begin &+ 1000), now: 5000))
    }

    /// Nobody can stretch the time between announcements little by little; nor while moderators come and go here.
    @Test(arguments: [false, true])
    func delaysAddUp(restarts: Bool) {
        var writer = table.writer(keyed: true)
        for number in UInt64(0)...5 {
            let next = announcement(boot: 7, sequence: 5 + number, sent: 1000 * number)
            #expect(!writer.needsProof(next, now: 1000 + 1500 * number) || number == 0)
            _ = writer.hear(next, now: 1000 + 1500 * number, wall: 5)
            if restarts { writer = table.writer(pid: 101 + pid_t(number), keyed: true) }
        }
        #expect(writer.needsProof(announcement(boot: 7, sequence: 11, sent: 6000), now: 10_000))
        // What has proved itself sets the clock, however late it is.
        _ = writer.hear(announcement(boot: 7, sequence: 11, sent: 6000), now: 10_000, wall: 5)
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 12, sent: 7000), now: 13_999))
        #expect(writer.needsProof(announcement(boot: 7, sequence: 12, sent: 7000), now: 14_000))
    }

    /// The soonest sets the clock.
    @Test func earlyOnesSetTheClock() {
        var writer = table.writer(keyed: true)
        _ = writer.hear(announcement(boot: 7, sequence: 5, sent: 100), now: 1000, wall: 5)
        _ = writer.hear(announcement(boot: 7, sequence: 6, sent: 1100), now: 1500, wall: 5)
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 7, sent: 2100), now: 5499))
        #expect(writer.needsProof(announcement(boot: 7, sequence: 7, sent: 2100), now: 5500))
    }

    /// Its clock goes with a server that is found in another row: here its predecessor's, which another network has
    /// kept.
    @Test func theClockMovesAlong() {
        var writer = table.writer(keyed: true)
        _ = writer.hear(announcement("10.0.0.4", boot: 6, sequence: 9, sent: 500), now: 500, wall: 5)
        for number in UInt64(5)...8 {
            _ = writer.hear(
                announcement("10.1.0.4", boot: 7, sequence: number, sent: 1000 * number), now: 1000 * number, wall: 5)
        }
        #expect(writer.needsProof(announcement("10.0.0.4", boot: 7, sequence: 5, sent: 5000), now: 8900))
        #expect(!writer.needsProof(announcement("10.0.0.4", boot: 7, sequence: 9, sent: 9000), now: 10_000))
        #expect(
            writer.hear(announcement("10.0.0.4", boot: 7, sequence: 9, sent: 9000), now: 10_000, wall: 5) == .row(1))
        #expect(!writer.needsProof(announcement("10.0.0.4", boot: 7, sequence: 10, sent: 10_000), now: 12_999))
        #expect(writer.needsProof(announcement("10.0.0.4", boot: 7, sequence: 10, sent: 10_000), now: 13_000))
    }

    /// An old number is believed only after silence, and then not without proof.
    @Test func oldNumbersNeedItAfterSilence() {
        var writer = table.writer(keyed: true)
        _ = writer.hear(announcement(boot: 7, sequence: 5), now: 1000, wall: 5)
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 5), now: 3999), "repeated")
        #expect(!writer.needsProof(announcement(boot: 7, sequence: 1), now: 3999), "repeated")
        #expect(writer.needsProof(announcement(boot: 7, sequence: 5, sent: 3000), now: 4000))
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
        noteServed(table.segment, 1, 3000)
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
