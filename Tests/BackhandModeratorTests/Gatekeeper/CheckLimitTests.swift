// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

@Suite struct CheckLimitTests {
    private func address(_ number: Int) -> bh_address_t { bh_address_t(ipv4: 0x0a00_0000 + UInt32(number)) }

    /// A million signatures a second: a tenth is checked, and of who sends little, all.
    @Test func checks() {
        var limit = CheckLimit(secret: 7)
        var (ofFlood, ofServer) = (0, 0)
        for now in UInt64(1000)..<3000 {
            for _ in 0..<1000 where limit.take(address(1), now: now) { ofFlood += 1 }
            if now % 25 == 0, limit.take(address(2), now: now) { ofServer += 1 }
        }
        #expect((200_000...212_000).contains(ofFlood))
        #expect(ofServer == 80)
    }
}
