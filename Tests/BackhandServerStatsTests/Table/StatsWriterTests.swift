// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@Suite struct StatsWriterTests {
    let table = TestSegment(bootID: 1)

    @Test func rowsAreFoundByAddressAndPort() {
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4", port: 80, boot: 7), now: 1000, wall: 5) == .row(1))
        #expect(writer.hear(announcement("10.0.0.4", port: 81, boot: 8), now: 1000, wall: 5) == .row(2))
        #expect(writer.hear(announcement("10.0.0.5", port: 80, boot: 9), now: 1000, wall: 5) == .row(3))
        #expect(writer.hear(announcement("10.0.0.4", port: 81, boot: 8, sequence: 2), now: 2000, wall: 6) == .row(2))
        #expect(bh_segment_rows(table.segment) == 4)
        #expect(table.counter(BH_COUNT_ACCEPTED) == 4)
        #expect(bh_row_heard(table.row(0)) == 0)
        #expect(table.facts(2)?.port == 81)
        #expect(table.facts(2)?.sequence == 2)
        #expect(table.facts(2)?.changed_wall == 6)
        #expect(bh_row_heard(table.row(2)) == 2000)
        #expect(table.row(2).pointee.first_heard_ms == 1000)
        #expect(bh_row_heard(table.row(1)) == 1000)
    }

    @Test func ownAnnouncementsAreCountedOnly() {
        var writer = table.writer()
        #expect(writer.hear(announcement(boot: 1), now: 1000, wall: 5) == .own)
        #expect(table.counter(BH_COUNT_OWN) == 1)
        #expect(bh_segment_rows(table.segment) == 0)
    }

    /// Virtual hosts with addresses of their own: rows as any other, but ours.
    @Test func otherSelvesHaveRowsOfTheirOwn() {
        let others = [announcement("10.1.0.1", boot: 21), announcement("10.2.0.1", port: 81, boot: 22)]
        var writer = table.writer(others: others)
        #expect(writer.hear(announcement("10.0.0.4", boot: 7), now: 1000, wall: 5) == .row(1))
        writer.writeSelf(announcement("10.0.0.1", boot: 1), now: 1000, wall: 5)
        for time in [1000, 2000] as [UInt64] {
            for (number, other) in others.enumerated() {
                writer.writeOther(other, now: time, wall: 5)
                #expect(table.facts(UInt32(2 + number))?.address == other.address)
                #expect(bh_row_heard(table.row(UInt32(2 + number))) == time)
            }
        }
        #expect((0..<4).map { bh_row_own(table.row($0)) } == [true, false, true, true])
        #expect(bh_segment_rows(table.segment) == 4)
        // Heard back they are ours, under whatever address.
        for boot in [1, 21, 22] as [UInt64] {
            #expect(writer.hear(announcement("10.9.0.9", boot: boot, sequence: 9), now: 3000, wall: 6) == .own)
        }
        #expect(bh_segment_rows(table.segment) == 4)
    }

    /// A child's process writes over the number of rows: the moderator goes by its own.
    @Test(arguments: [0, 1, UInt32(BH_ROWS), UInt32.max])
    func theNumberOfRowsIsTheModeratorsOwn(written: UInt32) {
        let others = [announcement("10.1.0.1", boot: 21), announcement("10.2.0.1", boot: 22)]
        var writer = table.writer(others: others)
        writer.writeSelf(announcement("10.0.0.1", boot: 1), now: 1000, wall: 5)
        for other in others { writer.writeOther(other, now: 1000, wall: 5) }
        #expect(writer.hear(announcement("10.0.0.4", boot: 7), now: 1000, wall: 5) == .row(3))
        bh_half_store(&table.segment.pointee.rows, written)
        #expect(writer.rows == 4)
        #expect(row(in: table.segment, rows: writer.rows, of: announcement("10.0.0.4").address, port: 80) == 3)
        orderSelf(BH_STATE_DRAINING, in: table.segment, rows: writer.rows, now: 1500)
        #expect(bh_row_state(table.row(2)) == BH_STATE_DRAINING.rawValue)
        // Rows that are given up, and addresses that are known.
        writer.become([others[0]], now: 2000)
        #expect((0..<4).map { bh_row_heard(table.row($0)) != 0 } == [true, true, false, true])
        for third in 0..<60 {
            _ = writer.hear(announcement("10.3.0.\(third + 1)", boot: UInt64(100 + third)), now: 2000, wall: 5)
        }
        #expect(bh_segment_knows(table.segment, announcement("10.0.0.4").address))
    }

    /// What another server had before, and refused, becomes ours.
    @Test func anotherServersAddressBecomesOurs() {
        var before = table.writer()
        _ = before.hear(announcement("10.1.0.1", boot: 7), now: 1000, wall: 5)
        noteUnreached(table.segment, 1, now: 1000, took: 0)
        let other = announcement("10.1.0.1", boot: 21)
        var writer = table.writer(others: [other])
        writer.writeOther(other, now: 2000, wall: 6)
        #expect(bh_row_own(table.row(1)) && bh_row_backoff(table.row(1)) == 0 && bh_segment_rows(table.segment) == 2)
    }

    /// A new moderator keeps the rows of the sites that still are, and gives up the others: nobody is sent to them.
    @Test func aNewModeratorKeepsItsSites() {
        let others = [announcement("10.1.0.1", boot: 21), announcement("10.2.0.1", boot: 22)]
        var first = table.writer(others: others)
        for other in others { first.writeOther(other, now: 1000, wall: 5) }
        var second = table.writer(others: [others[1]])
        #expect(bh_row_heard(table.row(1)) == 0 && !bh_row_own(table.row(1)))
        #expect(bh_row_heard(table.row(2)) == 1000 && bh_row_own(table.row(2)))
        second.writeOther(others[1], now: 2000, wall: 6)
        #expect(bh_row_heard(table.row(2)) == 2000 && bh_segment_rows(table.segment) == 3)
        first.writeOther(others[0], now: 2000, wall: 6)
        #expect(bh_row_heard(table.row(1)) == 0, "the first one does not own the segment any more")
        // The address given up is somebody else's now.
        #expect(second.hear(announcement("10.1.0.1", boot: 33), now: 3000, wall: 7) == .row(1))
        #expect(!bh_row_own(table.row(1)))
    }

    /// The server's boot id, the sequences that arrive after 5 was written, and which of them are new.
    @Test(arguments: [(4, false), (5, false), (6, true), (.max, true), (0, false)] as [(UInt64, Bool)])
    func sequences(sequence: UInt64, isNew: Bool) {
        var writer = table.writer()
        #expect(writer.hear(announcement(sequence: 5), now: 1000, wall: 5) == .row(1))
        let heard = writer.hear(announcement(sequence: sequence), now: 2000, wall: 6)
        #expect(heard == (isNew ? .row(1) : .repeated))
        #expect(table.counter(BH_COUNT_REPEATED) == (isNew ? 0 : 1))
        #expect(bh_row_heard(table.row(1)) == (isNew ? 2000 : 1000))
        #expect(table.facts(1)?.sequence == (isNew ? sequence : 5))
    }

    /// One forged number far ahead does not shut a server out for good: after three silent seconds any number is taken.
    @Test func forgedSequence() {
        var writer = table.writer()
        #expect(writer.hear(announcement(sequence: .max), now: 1000, wall: 5) == .row(1))
        #expect(writer.hear(announcement(sequence: 6), now: 3999, wall: 6) == .repeated)
        #expect(writer.hear(announcement(sequence: 7), now: 4000, wall: 7) == .row(1))
        #expect(writer.hear(announcement(sequence: 8), now: 5000, wall: 8) == .row(1))
    }

    /// A restarted httpd counts its announcements from the beginning; the row and its feedback stay.
    @Test func restartedServer() {
        var writer = table.writer()
        _ = writer.hear(announcement(boot: 7, sequence: 900), now: 1000, wall: 5)
        noteServed(table.segment, 1, 3000)
        #expect(writer.hear(announcement(boot: 8, sequence: 1), now: 9000, wall: 6) == .row(1))
        #expect(table.facts(1)?.boot_id == 8)
        #expect(table.row(1).pointee.served == 1)
        #expect(table.row(1).pointee.first_heard_ms == 1000)
    }

    /// One server that announces on two networks is one row, with the address that was heard first.
    @Test func twoNetworks() {
        var writer = table.writer()
        for second in UInt64(1)...10 {
            let heard = writer.hear(announcement("10.0.0.4", sequence: second), now: second * 1000, wall: 5)
            #expect(heard == .row(1))
            #expect(
                writer.hear(announcement("10.1.0.4", sequence: second), now: second * 1000 + 1, wall: 5) == .repeated)
        }
        #expect(bh_segment_rows(table.segment) == 2)
        #expect(table.facts(1)?.address == parseAddress("10.0.0.4"))
    }

    /// The other network's copy arrives first each time: fresh facts, first address.
    @Test func twoNetworksOtherFirst() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", sequence: 1), now: 1000, wall: 5)
        for second in UInt64(2)...10 {
            #expect(writer.hear(announcement("10.1.0.4", sequence: second), now: second * 1000, wall: 5) == .row(1))
            #expect(
                writer.hear(announcement("10.0.0.4", sequence: second), now: second * 1000 + 1, wall: 5) == .repeated)
            #expect(table.facts(1)?.address == parseAddress("10.0.0.4"))
            #expect(table.facts(1)?.sequence == second)
        }
    }

    /// The first network falls silent: after 2.5 s the row moves, and its refusals are forgotten.
    @Test func serverMoves() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", sequence: 1), now: 1000, wall: 5)
        noteUnreached(table.segment, 1, now: 1500, took: 0)
        noteServed(table.segment, 1, 3000)
        noteUnreached(table.segment, 1, now: 1500, took: 0)
        #expect(writer.hear(announcement("10.1.0.4", port: 81, sequence: 2), now: 3499, wall: 5) == .row(1))
        #expect(table.facts(1)?.address == parseAddress("10.0.0.4"))
        #expect(table.facts(1)?.port == 80)
        #expect(bh_row_backoff(table.row(1)) != 0)
        #expect(writer.hear(announcement("10.1.0.4", port: 81, sequence: 3), now: 3500, wall: 5) == .row(1))
        #expect(table.facts(1)?.address == parseAddress("10.1.0.4"))
        #expect(table.facts(1)?.port == 81)
        #expect(bh_row_backoff(table.row(1)) == 0)
        #expect(table.row(1).pointee.served == 1)
        // Its old address is free for another server, its new one is its own.
        #expect(writer.hear(announcement("10.0.0.4", boot: 8), now: 4100, wall: 5) == .row(2))
        #expect(writer.hear(announcement("10.1.0.4", port: 81, boot: 9), now: 9000, wall: 5) == .row(1))
    }

    /// A site with an address that has come, changed, and gone: one row is its own, and announcements on their way are
    /// still ours.
    @Test func ourOtherAddressesChange() {
        var writer = table.writer()
        func ours() -> [String] {
            (1..<max(1, bh_segment_rows(table.segment))).filter {
                bh_row_own(table.row($0)) && bh_row_heard(table.row($0)) != 0
            }.compactMap {
                table.facts($0)?.address.text
            }
        }
        let first = announcement("10.0.0.9", boot: 7), moved = announcement("10.0.0.10", boot: 7),
            second = announcement("10.0.0.11", boot: 8)
        writer.become([first], now: 1000)
        writer.writeOther(first, now: 1000, wall: 5)
        #expect(ours() == ["10.0.0.9"] && writer.isOwn(bootID: 7))
        writer.become([moved], now: 2000)
        #expect(ours().isEmpty)
        writer.writeOther(moved, now: 2000, wall: 5)
        #expect(ours() == ["10.0.0.10"])
        writer.become([second], now: 3000)
        writer.writeOther(second, now: 3000, wall: 5)
        #expect(ours() == ["10.0.0.11"])
        #expect(writer.hear(announcement("10.0.0.10", boot: 7, sequence: 9), now: 3001, wall: 5) == .own)
        #expect(!writer.isOwn(bootID: 9))
    }

    /// The address of a server that has gone is ours now: its row must not send our requests to us. A row of our own
    /// stays.
    @Test func anAddressThatWasAnotherServers() {
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4", boot: 3), now: 1000, wall: 5) == .row(1))
        writer.claim(parseAddress("10.0.0.5")!, port: 80, now: 1100)
        #expect(bh_row_heard(table.row(1)) != 0)
        writer.claim(parseAddress("10.0.0.4")!, port: 80, now: 1100)
        #expect(bh_row_heard(table.row(1)) == 0)
        writer.become([announcement("10.0.0.9", boot: 7)], now: 1200)
        writer.writeOther(announcement("10.0.0.9", boot: 7), now: 1200, wall: 5)
        writer.claim(parseAddress("10.0.0.9")!, port: 80, now: 1300)
        #expect(bh_row_own(table.row(2)) && bh_row_heard(table.row(2)) != 0)
    }

    /// An old copy of an announcement does not hold the address.
    @Test func replayedAnnouncementsDoNotHoldTheAddress() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", sequence: 1), now: 1000, wall: 5)
        _ = writer.hear(announcement("10.1.0.4", sequence: 20), now: 2000, wall: 5)
        #expect(writer.hear(announcement("10.0.0.4", sequence: 1), now: 3900, wall: 5) == .repeated)
        _ = writer.hear(announcement("10.1.0.4", sequence: 21), now: 4000, wall: 5)
        #expect(table.facts(1)?.address == parseAddress("10.1.0.4"))
    }

    /// A restarted server that is heard first on its second network gets its old row back when its first one is heard:
    /// at no time after that are there two candidates for it.
    @Test func restartHeardByOtherNetworkFirst() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7, sequence: 50), now: 1000, wall: 5)
        #expect(writer.hear(announcement("10.1.0.4", boot: 8, sequence: 1), now: 5000, wall: 5) == .row(2))
        #expect(writer.hear(announcement("10.0.0.4", boot: 8, sequence: 1), now: 5001, wall: 5) == .row(1))
        #expect(bh_row_heard(table.row(2)) == 0)
        #expect(table.facts(1)?.boot_id == 8)
        #expect(writer.hear(announcement("10.1.0.4", boot: 8, sequence: 2), now: 6000, wall: 5) == .row(1))
        #expect(writer.hear(announcement("10.0.0.4", boot: 8, sequence: 2), now: 6001, wall: 5) == .repeated)
        #expect(table.facts(1)?.address == parseAddress("10.0.0.4"))
        #expect(bh_row_heard(table.row(2)) == 0)
    }

    @Test func anotherOwner() {
        var writer = table.writer()
        var successor = table.writer(pid: 101)
        #expect(writer.hear(announcement(), now: 1000, wall: 5) == .notOwner)
        writer.writeSelf(announcement("10.0.0.1"), now: 1000, wall: 5)
        #expect(bh_segment_rows(table.segment) == 0)
        #expect(table.counter(BH_COUNT_ACCEPTED) == 0)
        #expect(successor.hear(announcement(), now: 1000, wall: 5) == .row(1))
    }

    /// The successor finds the rows again, by address and by boot id.
    @Test func takenOver() {
        var first = table.writer()
        for number in UInt64(2)..<10 {
            _ = first.hear(announcement("10.0.0.\(number)", boot: number, sequence: 5), now: 1000, wall: 5)
        }
        var second = table.writer(pid: 101)
        #expect(second.hear(announcement("10.0.0.9", boot: 9, sequence: 5), now: 2000, wall: 5) == .repeated)
        #expect(second.hear(announcement("10.0.0.9", boot: 9, sequence: 6), now: 2000, wall: 5) == .row(8))
        #expect(second.hear(announcement("10.1.0.9", boot: 9, sequence: 7), now: 2000, wall: 5) == .row(8))
        #expect(second.hear(announcement("10.0.0.4", boot: 99), now: 2000, wall: 5) == .row(3))
        #expect(bh_segment_rows(table.segment) == 9)
    }

    @Test func selfIsRowZero() {
        var writer = table.writer()
        writer.writeSelf(announcement("10.0.0.1", boot: 1, hostname: "me"), now: 1000, wall: 5)
        #expect(bh_segment_rows(table.segment) == 1)
        #expect(bh_row_heard(table.row(0)) == 1000)
        #expect(table.facts(0)?.address == parseAddress("10.0.0.1"))
        #expect(text(table.publicRow(0).pointee.hostname) == "me")
        // Somebody else claims our address: another row.
        #expect(writer.hear(announcement("10.0.0.1", boot: 2), now: 1000, wall: 5) == .row(1))
    }

    @Test func timeZeroIsNotEmpty() {
        var writer = table.writer()
        _ = writer.hear(announcement(), now: 0, wall: 0)
        #expect(bh_row_heard(table.row(1)) == 1)
    }
}

@Suite struct FullTableTests {
    /// Rows 1 to 2047, all heard at the time 1000.
    static func filled() -> (TestSegment, StatsWriter) {
        let table = TestSegment(bootID: 1)
        var writer = table.writer()
        for number in 1..<UInt64(BH_ROWS) {
            let heard = writer.hear(
                announcement("10.0.\(number / 256).\(number % 256)", boot: 1000 + number), now: 1000, wall: 5)
            #expect(heard == .row(UInt32(number)))
        }
        return (table, writer)
    }

    @Test func refusedAndCounted() {
        var (table, writer) = Self.filled()
        #expect(bh_segment_rows(table.segment) == UInt32(BH_ROWS))
        #expect(writer.hear(announcement("10.9.9.9", boot: 7), now: 60_999, wall: 5) == .tableFull)
        #expect(table.counter(BH_COUNT_TABLE_FULL) == 1)
        // Known ones go on.
        #expect(writer.hear(announcement("10.0.0.5", boot: 1005, sequence: 2), now: 60_999, wall: 5) == .row(5))
        #expect(table.counter(BH_COUNT_ACCEPTED) == UInt64(BH_ROWS))
    }

    /// The row silent longest is reused once a minute has passed and its requests are over; nothing of its old server
    /// is left.
    @Test func reused() {
        var (table, writer) = Self.filled()
        for number in 1..<UInt64(BH_ROWS) where number != 300 && number != 400 {
            _ = writer.hear(
                announcement("10.0.\(number / 256).\(number % 256)", boot: 1000 + number, sequence: 2), now: 2000,
                wall: 5)
        }
        bh_feedback_begin(table.segment, 0, 300, 0)
        noteServed(table.segment, 400, 9_000_000)
        noteFailed(table.segment, 400)
        noteUnreached(table.segment, 400, now: 2000, took: 0)
        writer.publishFeedback(nowMicroseconds: 1)
        #expect(table.publicRow(400).pointee.tatime == 9000)
        #expect(writer.hear(announcement("10.9.9.9", boot: 7), now: 61_000, wall: 5) == .row(400))
        let row = table.row(400).pointee
        #expect(row.first_heard_ms == 61_000)
        #expect(row.heard_ms == 61_000)
        #expect(row.backoff_until_ms == 0)
        #expect(row.refused == 0)
        #expect(row.served == 0)
        #expect(row.failed == 0)
        #expect(row.service_us == 0)
        #expect(table.publicRow(400).pointee.numbacked == 0)
        #expect(table.publicRow(400).pointee.tatime == 0)
        #expect(table.facts(400)?.address == parseAddress("10.9.9.9"))
        // Row 300 still has a request under way, the others were heard 59 s ago.
        #expect(writer.hear(announcement("10.9.9.10", boot: 8), now: 61_000, wall: 5) == .tableFull)
        bh_feedback_end(table.segment, 0, 300, 0)
        #expect(writer.hear(announcement("10.9.9.10", boot: 8), now: 61_000, wall: 5) == .row(300))
        // The server that lost its row is a new one now.
        #expect(writer.hear(announcement("10.0.1.144", boot: 1400, sequence: 9), now: 61_000, wall: 5) == .tableFull)
        #expect(writer.hear(announcement("10.0.1.144", boot: 1400, sequence: 9), now: 62_000, wall: 5) == .row(1))
    }

    /// A tunnel to a server that is gone keeps its own row only.
    @Test func aFreeRowWithARequestIsSkipped() {
        var (table, writer) = Self.filled()
        for number in 1..<UInt64(BH_ROWS) where number < 300 || number > 303 {
            let again = announcement("10.0.\(number / 256).\(number % 256)", boot: 1000 + number, sequence: 2)
            _ = writer.hear(again, now: 70_000, wall: 5)
        }
        writer.expire(after: 60_000, now: 70_000)
        #expect((299..<305).map { bh_row_heard(table.row($0)) != 0 } == [true, false, false, false, false, true])
        bh_feedback_begin(table.segment, 0, 300, 0)
        bh_feedback_begin(table.segment, 0, 302, 0)
        #expect(writer.hear(announcement("10.9.9.1", boot: 7), now: 70_000, wall: 5) == .row(301))
        #expect(writer.hear(announcement("10.9.9.2", boot: 8), now: 70_000, wall: 5) == .row(303))
        #expect(writer.hear(announcement("10.9.9.3", boot: 9), now: 70_000, wall: 5) == .tableFull)
        bh_feedback_end(table.segment, 0, 300, 0)
        #expect(writer.hear(announcement("10.9.9.3", boot: 9), now: 70_000, wall: 5) == .row(300))
    }

    /// A full table is found again as a whole.
    @Test func takenOver() {
        let (table, _) = Self.filled()
        var writer = table.writer(pid: 101)
        #expect(writer.hear(announcement("10.0.7.255", boot: 3047, sequence: 2), now: 2000, wall: 5) == .row(2047))
        #expect(writer.hear(announcement("10.9.9.9", boot: 7), now: 2000, wall: 5) == .tableFull)
    }
}
