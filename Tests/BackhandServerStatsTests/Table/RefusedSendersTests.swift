// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandServerStats

/// A reference, because #expect calls nothing that changes a value.
private final class Senders {
    private var senders = RefusedSenders()
    let table = TestSegment(bootID: 1)
    func note(_ last: UInt32, _ counter: bh_counter_t, _ now: UInt64) {
        senders.note(bh_address_t(ipv4: last), counter, now: now)
    }
    func forget(_ last: UInt32) { senders.forgetUnproven(bh_address_t(ipv4: last)) }
    func shown(_ now: UInt64) -> [[UInt64]] {
        senders.publish(to: table.segment, now: now)
        var sender = bh_sender_t()
        return (0..<UInt32(BH_SENDERS)).compactMap { place in
            guard bh_segment_sender(table.segment, place, &sender) else { return nil }
            return [UInt64(sender.address.ipv4 ?? 0), UInt64(sender.counter), UInt64(sender.times)]
        }
    }
}

@Suite struct RefusedSendersTests {
    private let unsigned = UInt64(BH_COUNT_UNSIGNED.rawValue)

    @Test func theLastOnesAreShownForTwentySeconds() {
        let senders = Senders()
        #expect(senders.shown(500).isEmpty)
        senders.note(4, BH_COUNT_UNSIGNED, 1000)
        senders.note(4, BH_COUNT_UNSIGNED, 2000)
        senders.note(5, BH_COUNT_FOREIGN, 2000)
        #expect(senders.shown(2000) == [[4, unsigned, 2]])
        #expect(senders.shown(22_000) == [[4, unsigned, 2]])
        #expect(senders.shown(22_001).isEmpty)
        #expect(senders.shown(30_000).isEmpty)
    }

    /// Servers announce themselves once a second; a flood from elsewhere takes the other places at most.
    @Test func whoKeepsComingStays() {
        let senders = Senders()
        for second in UInt64(1)...30 {
            senders.note(1, BH_COUNT_BAD_SIGNATURE, second * 1000)
            for other in UInt32(0)..<1000 {
                senders.note(1000 + UInt32(second) * 1000 + other, BH_COUNT_NOT_ACCEPTED, second * 1000 + 10)
            }
            let shown = senders.shown(second * 1000 + 20)
            #expect(
                shown.count == Int(BH_SENDERS) && shown.contains([1, UInt64(BH_COUNT_BAD_SIGNATURE.rawValue), second]))
        }
    }

    @Test func whoHasProvenItselfIsForgotten() {
        let senders = Senders()
        senders.note(4, BH_COUNT_CHALLENGED, 1000)
        senders.note(5, BH_COUNT_UNSIGNED, 1000)
        senders.forget(4)
        senders.forget(5)
        #expect(senders.shown(1000) == [[5, unsigned, 1]])
    }

    @Test func refusalsAreForReasonsOfServers() {
        let said = (0..<UInt32(BH_COUNTERS_ROOM)).compactMap { refusalText($0) }
        #expect(said.count == 12)
        #expect(refusalText(BH_COUNT_UNSIGNED.rawValue).map { "\($0)" } == "no key")
        #expect(refusalText(BH_COUNT_BAD_SIGNATURE.rawValue).map { "\($0)" } == "wrong key")
        #expect(refusalText(BH_COUNT_NOT_ACCEPTED.rawValue).map { "\($0)" } == "not accepted")
        #expect(refusalText(BH_COUNT_FOREIGN.rawValue) == nil)
    }
}
