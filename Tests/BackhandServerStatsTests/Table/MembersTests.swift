// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

/// Rows of servers that the configuration names.
@Suite struct MembersTests {
    let table = TestSegment(bootID: 1)

    private func write(_ places: [bh_place_t], reserved: Bool = false) -> [UInt32] {
        table.name(places, reserved: reserved)
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

    /// A server that came back from another address has two rows with this one: it is heard in one of them.
    @Test func haveTheRowInWhichTheyAreHeard() {
        #expect(write([place("10.0.0.4"), place("10.0.0.5")]) == [1, 2])
        table.row(2).pointee.facts.address = announcement("10.0.0.4").address
        bh_word_store(&table.row(2).pointee.heard_ms, 2000)
        #expect(write([place("10.0.0.4")]) == [2])
    }

    /// A full table has the rows of earlier members for new ones, but not while requests are there.
    @Test func getTheRowsOfEarlierMembers() {
        let places = (1..<UInt32(BH_ROWS)).map { place("10.1.\($0 / 256).\($0 % 256)") }
        #expect(write(places) == Array(1..<UInt32(BH_ROWS)))
        bh_half_store(&table.row(1).pointee.in_flight, 1)
        table.row(2).pointee.served = 7
        let rest = Array(places.dropFirst(2))
        #expect(write([place("10.2.0.1"), place("10.2.0.2")] + rest).prefix(3) == [2, 0, 3])
        #expect(table.row(2).pointee.served == 0)
        #expect(table.facts(2)?.address == announcement("10.2.0.1").address)
    }

    @Test func newcomersClaimRowsUntilTheNextRestart() {
        #expect(write([place("100::1", 1), place("100::2", 1)], reserved: true) == [1, 2])
        #expect(!bh_row_is_used(table.row(1)))
        #expect(bh_row_claim(table.row(1), 7) && bh_row_claim(table.row(1), 7))
        #expect(bh_row_is_used(table.row(1)) && !bh_row_is_used(table.row(2)))
        #expect(!bh_row_claim(table.row(1), 8) && bh_row_claim(table.row(2), 8))
        #expect(write([place("100::1", 1)], reserved: true) == [1])
        #expect(bh_row_claim(table.row(1), 8))
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
