// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

@Suite struct NewcomerLimitTests {
    @Test func oneSenderIsHeldBackAndOthersAreNot() {
        var limit = NewcomerLimit()
        func admit(_ sender: UInt32, _ now: UInt64) -> Bool { limit.admit(bh_address_t(ipv4: sender), now: now) }
        let (one, other) = (UInt32(1), UInt32(2))
        #expect((0..<1000).filter { _ in admit(one, 50) }.count == 32)
        #expect(admit(other, 50))
        #expect(!admit(one, 10_049))
        #expect(admit(one, 10_050))
        #expect(!admit(one, 10_050))
    }

    /// A full table of servers that are all new, each from an address of its own.
    @Test func aWholeClusterMayComeAtOnce() {
        var limit = NewcomerLimit()
        func admit(_ sender: UInt32, _ now: UInt64) -> Bool { limit.admit(bh_address_t(ipv4: sender), now: now) }
        #expect((0..<UInt32(BH_ROWS)).allSatisfy { admit($0, 1) })
    }

    /// Forged senders fill the memory to its bound and no further; once they are quiet there is room again.
    @Test func manySenders() {
        var limit = NewcomerLimit()
        func admit(_ sender: UInt32, _ now: UInt64) -> Bool { limit.admit(bh_address_t(ipv4: sender), now: now) }
        let admitted = (0..<UInt32(10_000)).filter { admit($0, 1) }.count
        #expect(admitted == 2 * Int(BH_ROWS))
        #expect(admit(7, 1), "who is known has the rest of its burst")
        #expect(!admit(20_000, 900))
        #expect(!admit(20_000, 9_000))
        #expect(admit(20_000, 10_100))
    }
}
