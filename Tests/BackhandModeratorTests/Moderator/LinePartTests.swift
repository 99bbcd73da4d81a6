// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import Testing

@testable import BackhandModerator

@Suite struct LinePartTests {
    @Test(
        arguments: [
            ("", [], ""),
            ("nothing to fill in", [.number(1)], "nothing to fill in"),
            ("{}", [.number(.max)], "18446744073709551615"),
            ("{} of {}: {}", [.number(0), .word("many"), .text(Message("é"))], "0 of many: é"),
            ("at {}", [.address(bh_address_t(ipv4: 0x0a00_0004))], "at 10.0.0.4"),
            ("at {}!", [.place(bh_address_t(ipv4: 0x0a00_0004), 80)], "at 10.0.0.4:80!"),
            ("at {}", [.place(bh_address_t(high: 0x2001_0db8 << 32, low: 4), 65_535)], "at [2001:db8::4]:65535"),
            ("one {} two {}", [.number(1)], "one 1 two "),
        ] as [(StaticString, [LinePart], String)])
    func forms(form: StaticString, parts: [LinePart], text: String) {
        #expect(Message(form: form, parts).text == text)
    }
}
