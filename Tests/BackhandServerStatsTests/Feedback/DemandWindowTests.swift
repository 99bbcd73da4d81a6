// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

/// An httpd that serves and balances beside another one, of the same capacity if nothing else is said.
@Suite struct DemandWindowTests {
    let table = TestSegment()

    private func facts(_ address: String, capacity: UInt32, sequence: UInt64 = 0) -> bh_facts_t {
        var facts = announcement(address, boot: 7, sequence: sequence)
        (facts.arriba, facts.capacity, facts.ncpu, facts.workers) = (400_000, capacity, 4, 400)
        return facts
    }

    /// After two looks: clients' requests here, those that the other one sent here, those that were sent there, and
    /// those that came there.
    private func demand(
        clients: Int, forwarded: Int = 0, sent: Int = 0, there: UInt64, capacity: UInt32 = 1600, silentFor: UInt64 = 0
    ) -> UInt32 {
        var writer = table.writer()
        writer.writeSelf(facts("10.0.0.1", capacity: 1600), now: 1000, wall: 5)
        var other = facts("10.0.0.4", capacity: capacity, sequence: 1)
        _ = writer.hear(other, now: 1000, wall: 5)
        writer.publishFeedback(nowMicroseconds: 1_000_000)
        (other.sequence, other.arrivals, other.dispatched) = (2, there, UInt64(forwarded))
        _ = writer.hear(other, now: 2000, wall: 6)
        for _ in 0..<(clients + forwarded) { bh_segment_arrival(table.segment) }
        for _ in 0..<forwarded { bh_segment_forwarded(table.segment) }
        for _ in 0..<sent { noteServed(table.segment, 1, 1) }
        writer.publishFeedback(nowMicroseconds: 2_000_000 + silentFor * 1_000_000)
        return table.segment.pointee.demand
    }

    @Test func evenly() { #expect(demand(clients: 100, there: 100) == 1000) }

    /// What they send each other changes nothing: the clients are as many.
    @Test func exchanged() { #expect(demand(clients: 100, forwarded: 60, sent: 40, there: 140) == 1000) }

    @Test func all() { #expect(demand(clients: 100, sent: 50, there: 50) == 2000) }

    @Test func few() { #expect(demand(clients: 20, there: 180) == 200) }

    /// With a third of the other one's capacity its share is a quarter.
    @Test func small() { #expect(demand(clients: 100, there: 100, capacity: 4800) == 2000) }

    /// What the other one could do is not counted when it is gone; what it has done is.
    @Test func gone() { #expect(demand(clients: 100, there: 100, silentFor: 7) == 500) }

    /// A server that takes none, and one that sends all on, are no part of what all can do.
    @Test(arguments: [(BH_STATE_DRAINING, 0), (BH_STATE_UP, 960)] as [(bh_state_t, UInt64)])
    func withoutShare(state: bh_state_t, passed: UInt64) {
        var writer = table.writer()
        writer.writeSelf(facts("10.0.0.1", capacity: 1600), now: 1000, wall: 5)
        var one = facts("10.0.0.4", capacity: 1600, sequence: 1), two = facts("10.0.0.5", capacity: 1600, sequence: 1)
        (two.state, two.arrivals, two.dispatched) = (UInt8(state.rawValue), 1000, passed)
        one.arrivals = 1
        _ = (writer.hear(one, now: 1000, wall: 5), writer.hear(two, now: 1000, wall: 5))
        writer.publishFeedback(nowMicroseconds: 1_000_000)
        (one.sequence, one.arrivals) = (2, 101)
        _ = writer.hear(one, now: 2000, wall: 6)
        for _ in 0..<100 { bh_segment_arrival(table.segment) }
        writer.publishFeedback(nowMicroseconds: 2_000_000)
        #expect(table.segment.pointee.demand == 1000)
    }

    @Test func nothing() { #expect(demand(clients: 0, there: 0) == 0) }
}
