// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

@Suite struct LogFacilitiesTests {
    @Test(
        arguments: [
            (["+mbcs1"], 0x001, 1), (["+MBCS4"], 0x008, 4), (["+dcsn2"], 0x020, 2), (["+netall"], 0xf00, 4),
            (["+mbcsALL", "-mbcs4"], 0x007, 3), (["+mbcs3", "+net1"], 0x104, 3), (["+net2", "-net2"], 0, 0),
            (["-netall"], 0, 0), (["+netall", "-dcsnall"], 0xf00, 4),
        ] as [([String], UInt32, UInt32)])
    func lines(values: [String], bits: UInt32, highest: UInt32) throws {
        var facilities = LogFacilities(bits: 0)
        for value in values { try value.withCString { value in try facilities.take(Word(value)) } }
        #expect(facilities.bits == bits && facilities.highest == highest)
    }

    @Test(arguments: ["", "+", "mbcs1", "+mbcs", "+mbcs0", "+mbcs5", "+mbcs12", "+mbcs01", "+mbc1", "*net1", "+net1 "])
    func whatIsNone(value: String) {
        var facilities = LogFacilities(bits: 5)
        let error = #expect(throws: ConfigurationError.self) {
            try value.withCString { value in try facilities.take(Word(value)) }
        }
        #expect(error?.text.hasPrefix("'\(value)' is not a log level: give + or -") == true)
        #expect(facilities.bits == 5)
    }
}
