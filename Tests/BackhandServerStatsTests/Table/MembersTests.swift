// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

/// Rows of servers that the configuration names.
@Suite struct MembersTests {
    let table = TestSegment(bootID: 1)

    private func write(_ places: [bh_place_t], reserved: Bool = false, now: UInt64 = 1000) -> [UInt32] {
        table.name(places, reserved: reserved, now: now)
    }

    private func hostname(_ id: UInt32) -> String? {
        table.facts(id).map { facts in withUnsafePointer(to: facts) { String(cString: bh_facts_hostname($0)) } }
    }

    @Test func haveRowsAndAreNotHeard() {
        #expect(write([place("10.0.0.4"), place("10.0.0.5", 81)]) == [1, 2])
        #expect(bh_segment_rows(table.segment) == 3)
        #expect([1, 2].map { bh_row_heard(table.row($0)) } == [0, 0])
        #expect([0, 1, 2].map { bh_row_is_member(table.row($0)) } == [false, true, true])
        #expect(table.facts(2)?.port == 81)
        #expect(table.facts(2)?.address == announcement("10.0.0.5").address)
        #expect(hostname(2) == "b.test")
    }

    @Test func keepTheirRowsOverRestarts() {
        #expect(write([place("10.0.0.4"), place("10.0.0.5")]) == [1, 2])
        table.row(1).pointee.served = 7
        #expect(hostname(1) == "a.test")
        #expect(write([place("10.0.0.6"), place("10.0.0.4")]) == [3, 1])
        #expect(hostname(1) == "b.test")
        #expect(table.row(1).pointee.served == 7)
        #expect([1, 2, 3].map { bh_row_is_member(table.row($0)) } == [true, false, true])
    }

    /// It is one server, whether it is named or announces itself.
    @Test func announceThemselvesInTheSameRow() {
        #expect(write([place("10.0.0.4")]) == [1])
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4", boot: 7), now: 2000, wall: 5) == .row(1))
        #expect(bh_row_heard(table.row(1)) == 2000 && bh_row_is_member(table.row(1)))
        #expect(write([place("10.0.0.4")]) == [1])
        #expect(hostname(1) == "web1", "what it has announced counts")
        writer.expire(after: 60_000, now: 100_000)
        #expect(bh_row_heard(table.row(1)) == 0 && bh_row_is_member(table.row(1)))
        #expect(writer.hear(announcement("10.0.0.4", boot: 8), now: 101_000, wall: 5) == .row(1))
    }

    /// Of the servers that announce themselves, each may be a balancer, and keeps connections too.
    @Test func areNoBalancersUntilTheyAnnounceThemselves() {
        var writer = table.writer()
        func mayKeep(_ sequence: UInt64) -> UInt32 {
            var server = announcement("10.0.0.4", sequence: sequence)
            (server.idle_cost, server.keepalive_ms) = (BH_IDLE_WORKER.rawValue, 5000)
            (server.workers, server.idle_workers) = (16, 16)
            guard writer.hear(server, now: 2000, wall: 5) == .row(1) else { return 99 }
            return bh_half_load(&table.row(1).pointee.may_keep)
        }
        #expect(write((4...20).map { place("10.0.0.\($0)") }).first == 1)
        #expect(mayKeep(1) == 4)
        _ = writer.hear(announcement("10.0.0.5", boot: 8), now: 2000, wall: 5)
        #expect(mayKeep(2) == 2)
        _ = writer.hear(announcement("10.1.0.1", boot: 9), now: 2000, wall: 5)
        #expect(mayKeep(3) == 1)
    }

    /// A server that came back from another address has two rows with this one: it is heard in one of them.
    @Test func haveTheRowInWhichTheyAreHeard() {
        #expect(write([place("10.0.0.4"), place("10.0.0.5")]) == [1, 2])
        table.row(2).pointee.facts.address = announcement("10.0.0.4").address
        bh_word_store(&table.row(2).pointee.heard_ms, 2000)
        #expect(write([place("10.0.0.4")]) == [2])
    }

    /// A full table has the rows of earlier members for new ones, a minute later, but not while requests are there.
    @Test func getTheRowsOfEarlierMembers() {
        let places = (1..<UInt32(BH_ROWS)).map { place("10.1.\($0 / 256).\($0 % 256)") }
        #expect(write(places) == Array(1..<UInt32(BH_ROWS)))
        bh_half_store(&table.row(1).pointee.in_flight, 1)
        table.row(2).pointee.served = 7
        let rest = Array(places.dropFirst(2))
        let wanted = [place("10.2.0.1"), place("10.2.0.2")] + rest
        #expect(write(wanted, now: 200_000).prefix(3) == [0, 0, 3])
        #expect(write(wanted, now: 259_999).prefix(3) == [0, 0, 3])
        #expect(write(wanted, now: 260_000).prefix(3) == [2, 0, 3])
        #expect(table.row(2).pointee.served == 0)
        #expect(table.facts(2)?.address == announcement("10.2.0.1").address)
    }

    @Test func newcomersClaimRowsUntilTheNextRestart() {
        #expect(write([place("100::1", 1), place("100::2", 1)], reserved: true) == [1, 2])
        #expect(!bh_row_is_used(table.row(1)))
        #expect(bh_row_claim(table.row(1), 7) && bh_row_claim(table.row(1), 7))
        #expect(bh_row_is_used(table.row(1)) && !bh_row_is_used(table.row(2)))
        #expect(!bh_row_claim(table.row(1), 8) && bh_row_claim(table.row(2), 8))
        noteServed(table.segment, 1, 3000)
        bh_half_store(&table.row(1).pointee.ordered, BH_STATE_MAINTENANCE.rawValue)
        #expect(write([place("100::1", 1)], reserved: true) == [1])
        #expect(bh_row_claim(table.row(1), 8))
        #expect(table.row(1).pointee.served == 0 && bh_row_state(table.row(1)) == BH_STATE_UP.rawValue)
    }

    /// A row that a server has left says nothing of a member that is named there later.
    @Test func haveNoAgeOfAnother() {
        #expect(write([place("10.0.0.4")]) == [1])
        bh_word_store(&table.row(1).pointee.first_heard_ms, 500)
        #expect(write([place("10.0.0.4")]) == [1])
        #expect(bh_row_last_heard(table.row(1)) == 500)
        #expect(write([]) == [] && write([]) == [])
        #expect(write([place("10.0.0.4")]) == [1])
        #expect(bh_row_last_heard(table.row(1)) == 0)
    }

    /// No other server gets the row of one that is never heard, however full the table is.
    @Test func areNotReplaced() {
        #expect(write([place("10.0.0.4")]) == [1])
        var writer = table.writer()
        for number in 2..<UInt32(BH_ROWS) {
            let address = "10.1.\(number / 256).\(number % 256)"
            #expect(writer.hear(announcement(address, boot: UInt64(number + 10)), now: 2000, wall: 5) == .row(number))
        }
        #expect(writer.hear(announcement("10.2.0.1", boot: 9), now: 2001, wall: 5) == .tableFull)
        #expect(writer.hear(announcement("10.2.0.1", boot: 9), now: 80_000, wall: 5) != .row(1))
    }
}

/// What becomes of a member's row when its server is not heard there any more.
@Suite struct SilentMembersTests {
    let table = TestSegment(bootID: 1)

    private func address(_ id: UInt32) -> String? { table.facts(id)?.address.text }

    private func mark(_ id: UInt32) -> UInt64 { table.row(id).pointee.first_heard_ms }

    /// A server that announces another address gets another row.
    @Test func keepTheirAddress() {
        #expect(table.name([place("10.0.0.4")]) == [1])
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4", sequence: 1), now: 1000, wall: 5) == .row(1))
        noteServed(table.segment, 1, 3000)
        #expect(writer.hear(announcement("10.0.0.9", sequence: 2), now: 2000, wall: 5) == .row(1))
        #expect(writer.hear(announcement("10.0.0.9", sequence: 3), now: 3600, wall: 5) == .row(2))
        #expect(address(1) == "10.0.0.4" && address(2) == "10.0.0.9")
        #expect(bh_row_heard(table.row(1)) == 0 && bh_row_heard(table.row(2)) == 3600)
        #expect(bh_row_is_member(table.row(1)) && !bh_row_is_member(table.row(2)))
        #expect(table.row(1).pointee.served == 1 && mark(1) == 2000, "heard at the last time that it was there")
        #expect(writer.hear(announcement("10.0.0.4", boot: 8), now: 4000, wall: 5) == .row(1))
        #expect(writer.hear(announcement("10.0.0.9", sequence: 4), now: 4600, wall: 5) == .row(2))
        // And back.
        #expect(writer.hear(announcement("10.0.0.4", sequence: 5), now: 9000, wall: 5) == .row(1))
        #expect(bh_row_heard(table.row(1)) == 9000 && bh_row_heard(table.row(2)) == 0)
    }

    /// In a full table, one that has moved has no row, and its old one stays.
    @Test func keepTheirAddressInAFullTable() {
        #expect(table.name([place("10.0.0.4")]) == [1])
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4", sequence: 1), now: 1000, wall: 5) == .row(1))
        for number in 2..<UInt64(BH_ROWS) {
            let other = announcement("10.1.\(number / 256).\(number % 256)", boot: number + 10)
            #expect(writer.hear(other, now: 2000, wall: 5) == .row(UInt32(number)))
        }
        #expect(writer.hear(announcement("10.0.0.9", sequence: 3), now: 4000, wall: 5) == .tableFull)
        #expect(address(1) == "10.0.0.4" && bh_row_heard(table.row(1)) == 1000)
    }

    /// It is the other member from then on; no third server gets the row that it has left.
    @Test func oneThatMovesToAnotherMembersAddress() {
        #expect(table.name([place("10.0.0.4"), place("10.0.0.5")]) == [1, 2])
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4", sequence: 1), now: 1000, wall: 5) == .row(1))
        #expect(writer.hear(announcement("10.0.0.5", sequence: 4), now: 4000, wall: 5) == .row(2))
        #expect(bh_row_heard(table.row(1)) == 0 && bh_row_heard(table.row(2)) == 4000)
        #expect(writer.hear(announcement("10.0.0.6", boot: 9), now: 70_000, wall: 5) == .row(3))
        #expect(writer.hear(announcement("10.0.0.4", boot: 8), now: 70_001, wall: 5) == .row(1))
        #expect(address(1) == "10.0.0.4" && address(2) == "10.0.0.5")
    }

    /// The configuration names both addresses of a server that announces them on two networks: the row in which it was
    /// heard first stays the one, as for other servers.
    @Test func twoAddressesOfOneServer() {
        #expect(table.name([place("10.0.0.4"), place("10.1.0.4")]) == [1, 2])
        var writer = table.writer()
        for second in UInt64(1)...10 {
            let first = announcement("10.0.0.4", sequence: second), other = announcement("10.1.0.4", sequence: second)
            #expect(writer.hear(first, now: second * 1000, wall: 5) == .row(1))
            #expect(writer.hear(other, now: second * 1000 + 1, wall: 5) == .repeated)
        }
        #expect(bh_row_heard(table.row(1)) == 10_000 && table.row(1).pointee.came_ms == 1000)
        #expect(bh_row_heard(table.row(2)) == 0 && mark(2) == 0, "as one that announces nothing")
    }

    /// This httpd has the member's address now, and later gives it up: the row is the member's all the time.
    @Test func oneThatThisHTTPDBecomes() {
        #expect(table.name([place("10.0.0.4")]) == [1])
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4", boot: 3), now: 1000, wall: 5) == .row(1))
        writer.claim(parseAddress("10.0.0.4")!, port: 80, now: 1100)
        #expect(bh_row_heard(table.row(1)) == 0 && mark(1) == 0, "nothing was announced of what it is now")
        let ours = announcement("10.0.0.4", boot: 7)
        writer.become([ours], now: 1200)
        writer.writeOther(ours, now: 1200, wall: 5)
        #expect(bh_row_heard(table.row(1)) == 1200 && bh_row_own(table.row(1)))
        writer.become([], now: 2000)
        #expect(bh_row_heard(table.row(1)) == 0 && mark(1) == 0 && !bh_row_own(table.row(1)))
        #expect(writer.hear(announcement("10.0.0.6", boot: 9), now: 70_000, wall: 5) == .row(2))
        #expect(writer.hear(announcement("10.0.0.4", boot: 8), now: 70_001, wall: 5) == .row(1))
    }

    /// Of what it has announced the name stays, and when that was; what an administrator ordered here stays too.
    @Test func announceNoStateAnyMore() {
        #expect(table.name([place("10.0.0.4")]) == [1])
        var writer = table.writer()
        var leaving = announcement("10.0.0.4")
        (leaving.state, leaving.check) = (UInt8(BH_STATE_MAINTENANCE.rawValue), BH_CHECK_FAILING)
        leaving.error_ppm = 900_000
        #expect(writer.hear(leaving, now: 2000, wall: 5) == .row(1))
        order(BH_STATE_DRAINING, in: table.segment, 1)
        writer.expire(after: 60_000, now: 70_000)
        #expect(bh_row_heard(table.row(1)) == 0 && mark(1) == 2000 && table.counter(BH_COUNT_EXPIRED) == 1)
        #expect(table.row(1).pointee.state == BH_STATE_UP.rawValue)
        #expect(table.row(1).pointee.ordered == BH_STATE_DRAINING.rawValue)
        #expect(!bh_row_fails_check(table.row(1)) && bh_row_errors(table.row(1)) == 0)
        #expect(table.facts(1).map { text($0.hostname) } == "web1")
        writer.expire(after: 60_000, now: 170_000)
        #expect(table.counter(BH_COUNT_EXPIRED) == 1)
        #expect(table.name([place("10.0.0.4")], now: 180_000) == [1])
        #expect(mark(1) == 2000, "over restarts too")
    }

    @Test func comeBackAsOthersDo() {
        #expect(table.name([place("10.0.0.4")]) == [1])
        var writer = table.writer()
        #expect(writer.hear(announcement("10.0.0.4", sequence: 1), now: 2000, wall: 5) == .row(1))
        writer.expire(after: 60_000, now: 70_000)
        var back = announcement("10.0.0.4", sequence: 2)
        back.idle_workers = 5
        #expect(writer.hear(back, now: 80_000, wall: 5) == .row(1))
        let row = table.row(1).pointee
        #expect(row.heard_ms == 80_000 && row.first_heard_ms == 80_000 && row.came_ms == 80_000)
        #expect(bh_segment_spare(table.segment, 1) == 5)
    }

    /// What is not signed any more counts as never announced.
    @Test func thatHaveNoKey() {
        #expect(table.name([place("10.0.0.4")]) == [1])
        var first = table.writer()
        #expect(first.hear(announcement("10.0.0.4", boot: 7), now: 1000, wall: 5) == .row(1))
        var second = table.writer(pid: 101, keyed: true)
        #expect(bh_row_heard(table.row(1)) == 0 && mark(1) == 0)
        second.expire(after: 60_000, now: 70_000)
        #expect(mark(1) == 0)
    }

    /// Nobody would notice when it is true no more.
    @Test func withoutAModeratorNothingIsAnnounced() {
        #expect(table.name([place("10.0.0.4"), place("10.0.0.5")]) == [1, 2])
        var writer = table.writer()
        writer.writeSelf(announcement("10.0.0.1", boot: 1), now: 2000, wall: 5)
        var leaving = announcement("10.0.0.4", boot: 7)
        (leaving.state, leaving.check) = (UInt8(BH_STATE_DRAINING.rawValue), BH_CHECK_FAILING)
        leaving.arriba = 1000
        #expect(writer.hear(leaving, now: 2000, wall: 5) == .row(1))
        #expect(writer.hear(announcement("10.0.0.5", boot: 8), now: 2000, wall: 5) == .row(2))
        #expect(writer.hear(announcement("10.0.0.6", boot: 9), now: 61_000, wall: 5) == .row(3))
        writer.expire(after: 59_000, now: 61_000)
        #expect(mark(2) == 2000)
        order(BH_STATE_MAINTENANCE, in: table.segment, 1)
        noteServed(table.segment, 1, 3000)
        bh_word_store(&table.segment.pointee.beat_ms, 61_000)
        bh_word_store(&table.segment.pointee.deaf_ms, 60_000)
        bh_half_store(&table.segment.pointee.unattended, 2)
        #expect(table.name([place("10.0.0.4"), place("10.0.0.5")], now: 62_000) == [1, 2])
        #expect((0..<4).map { bh_row_heard(table.row($0)) } == [0, 0, 0, 0])
        #expect((1..<4).map { mark($0) } == [0, 0, 0])
        #expect(bh_row_state(table.row(1)) == BH_STATE_UP.rawValue && !bh_row_fails_check(table.row(1)))
        #expect(table.facts(1).map { text($0.hostname) } == "a.test" && table.facts(1)?.arriba == 0)
        #expect(table.row(1).pointee.served == 1, "what was seen here stays")
        #expect(!bh_segment_is_late(table.segment, 99_000))
        #expect(bh_segment_age_clock(table.segment, 99_000) == 99_000)
        #expect(bh_segment_trouble(table.segment, 99_000) == BH_TROUBLE_NONE)
        #expect(!bh_row_own(table.row(0)))
        bh_word_store(&table.segment.pointee.beat_ms, 62_000)
        #expect(!bh_segment_is_late(table.segment, 99_000), "whatever it says of rounds")
    }
}
