// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

/// Members beside a server that announces itself: at its address, and at another port.
@Suite struct BorrowersTests {
    let table = TestSegment(bootID: 1)

    private func loaded(_ load: Int32, port: UInt16 = 80, boot: UInt64 = 7, sequence: UInt64 = 1) -> bh_facts_t {
        var facts = announcement("10.0.0.4", port: port, boot: boot, sequence: sequence)
        (facts.load, facts.ncpu, facts.cpu, facts.total_memory) = (load, 8, 500, 1 << 30)
        (facts.workers, facts.idle_workers, facts.mean_in_flight) = (10, 5, 3000)
        facts.state = UInt8(BH_STATE_DRAINING.rawValue)
        return facts
    }

    private func lastHeard(_ id: UInt32) -> UInt64 { bh_row_last_heard(table.row(id)) }

    @Test func haveTheFactsOfTheMachine() {
        #expect(table.name([place("10.0.0.4", 9000), place("10.0.0.5", 9000)]) == [1, 2])
        var writer = table.writer()
        #expect(writer.hear(loaded(2500), now: 2000, wall: 5) == .row(3))
        let facts = table.facts(1)
        #expect(facts?.load == 2500 && facts?.ncpu == 8 && facts?.cpu == 500 && facts?.total_memory == 1 << 30)
        #expect(table.publicRow(1).pointee.load == 2500)
        #expect(facts?.port == 9000 && facts?.address == announcement("10.0.0.4").address)
        #expect(facts?.workers == 0 && facts?.mean_in_flight == 0 && facts?.boot_id == 0)
        #expect(bh_row_state(table.row(1)) == BH_STATE_UP.rawValue)
        #expect(bh_row_heard(table.row(1)) == 0 && lastHeard(1) == 2000)
        #expect(bh_segment_lender(table.segment, 1) == 4 && bh_segment_lender(table.segment, 2) == 0)
        #expect(lastHeard(2) == 0)
    }

    @Test func keepThoseOfTheFirstServer() {
        #expect(table.name([place("10.0.0.4", 9000)]) == [1])
        var writer = table.writer()
        _ = writer.hear(loaded(2500), now: 2000, wall: 5)
        _ = writer.hear(loaded(100, port: 8080, boot: 8), now: 2001, wall: 5)
        #expect(table.facts(1)?.load == 2500)
        _ = writer.hear(loaded(100, port: 8080, boot: 8, sequence: 90), now: 90_000, wall: 5)
        writer.expire(after: 60_000, now: 90_001)
        #expect(bh_segment_lender(table.segment, 1) == 0 && lastHeard(1) == 0)
        _ = writer.hear(loaded(200, port: 8080, boot: 8, sequence: 91), now: 91_000, wall: 5)
        #expect(table.facts(1)?.load == 200 && lastHeard(1) == 91_000)
    }

    @Test func announceThemselvesLater() {
        #expect(table.name([place("10.0.0.4", 9000)]) == [1])
        var writer = table.writer()
        _ = writer.hear(loaded(2500), now: 2000, wall: 5)
        #expect(writer.hear(loaded(100, port: 9000, boot: 8), now: 2001, wall: 5) == .row(1))
        #expect(bh_segment_lender(table.segment, 1) == 0 && bh_row_heard(table.row(1)) == 2001)
        _ = writer.hear(loaded(2600, sequence: 2), now: 3000, wall: 5)
        #expect(table.facts(1)?.load == 100)
    }

    /// 127.0.0.1:9000 is on this machine.
    @Test func areHere() {
        #expect(table.name([place("127.0.0.1", 9000)]) == [1])
        var writer = table.writer()
        writer.writeSelf(loaded(700), now: 2000, wall: 5)
        #expect(table.facts(1)?.load == 700 && bh_segment_lender(table.segment, 1) == 1)
    }

    /// The next moderator goes on with it, and forgets what does not hold.
    @Test func outliveModerators() {
        #expect(table.name([place("10.0.0.4", 9000), place("10.0.0.4", 9001)]) == [1, 2])
        var writer = table.writer()
        _ = writer.hear(loaded(2500), now: 2000, wall: 5)
        #expect(table.name([place("10.0.0.4", 9000)], now: 3000) == [1])
        writer = table.writer(pid: 101)
        #expect(bh_segment_lender(table.segment, 1) == 4 && lastHeard(1) == 2000)
        #expect(bh_segment_lender(table.segment, 2) == 0 && lastHeard(2) == 0)
    }
}

/// What tells children that a list of servers that announce themselves has to be made again.
@Suite struct MembershipTests {
    @Test func growsWithEachChange() {
        let table = TestSegment(bootID: 1)
        var writer = table.writer()
        var last = bh_segment_membership(table.segment)
        func hasGrown() -> Bool {
            defer { last = bh_segment_membership(table.segment) }
            return bh_segment_membership(table.segment) != last
        }
        _ = writer.hear(announcement(), now: 2000, wall: 5)
        #expect(hasGrown(), "a new server")
        _ = writer.hear(announcement(sequence: 2), now: 3000, wall: 5)
        #expect(!hasGrown(), "the same one")
        _ = writer.hear(announcement(sequence: 3, hostname: "web2"), now: 4000, wall: 5)
        #expect(hasGrown(), "another name")
        _ = writer.hear(announcement("10.0.0.5", sequence: 9, hostname: "web2"), now: 9000, wall: 5)
        #expect(hasGrown(), "another address")
        writer.writeSelf(announcement("10.0.0.1", boot: 1), now: 9000, wall: 5)
        #expect(hasGrown(), "this httpd")
        writer.writeSelf(announcement("10.0.0.1", boot: 1, sequence: 2), now: 10_000, wall: 5)
        #expect(!hasGrown())
        writer.expire(after: 60_000, now: 100_000)
        #expect(hasGrown(), "gone")
    }
}
