// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

@Suite struct GatekeeperTests {
    /// What no test on one machine can send: the rest is Tests/Module/test_450_steering.py.
    @Test(
        arguments: [
            ("10.0.0.4", "10.0.0.4", nil, nil),
            ("127.0.0.1", "127.0.0.9", BH_COUNT_OTHERS_ADDRESS, nil),
            ("127.0.0.1", "10.0.0.4", BH_COUNT_FORBIDDEN, BH_COUNT_FORBIDDEN),
            ("::1", "10.0.0.4", BH_COUNT_FORBIDDEN, BH_COUNT_FORBIDDEN),
            ("169.254.169.254", "169.254.169.254", BH_COUNT_FORBIDDEN, BH_COUNT_FORBIDDEN),
            ("fe80::1", "10.0.0.4", BH_COUNT_FORBIDDEN, BH_COUNT_FORBIDDEN),
            ("10.0.0.5", "10.0.0.4", BH_COUNT_OTHERS_ADDRESS, nil),
            ("192.0.2.1", "10.0.0.4", BH_COUNT_OUTSIDE, BH_COUNT_OUTSIDE),
            ("224.0.0.1", "10.0.0.4", BH_COUNT_OUTSIDE, BH_COUNT_OUTSIDE),
        ] as [(String, String, bh_counter_t?, bh_counter_t?)])
    func nobodyIsSteered(address: String, sender: String, plain: bh_counter_t?, signed: bh_counter_t?) throws {
        var facts = bh_facts_t()
        facts.address = try #require(parseAddress(address))
        let from = try #require(parseAddress(sender))
        for (key, expected) in [(UInt(0), plain), (7, signed)] {
            let networks = ["127.0.0.0/8", "10.0.0.0/8", "169.254.0.0/16", "fe80::/10", "::1"]
            let one = try RunningModerator(Setting(own: "127.0.0.2:1", accepted: networks, key: key))
            #expect(one.moderator.gatekeeper.steering(facts, from: from, isSigned: key != 0) == expected)
        }
    }
}
