// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@Suite struct SortedTableTests {
    @Test func aNumberIsFoundUnderItsKeyAlone() {
        var table = SortedTable()
        let address = bh_address_t(high: 3, low: 7)
        table[TableKey(address, port: 80)] = 1
        table[TableKey(address, port: 81)] = 2
        table[TableKey(bh_address_t(high: 2, low: 7), port: 80)] = 3
        table[TableKey(bh_address_t(high: 3, low: 6), port: 80)] = 4
        #expect(table[TableKey(address, port: 80)] == 1)
        #expect(table[TableKey(address, port: 81)] == 2)
        #expect(table[TableKey(bh_address_t(high: 2, low: 7), port: 80)] == 3)
        #expect(table[TableKey(bh_address_t(high: 3, low: 6), port: 80)] == 4)
        #expect(table[TableKey(address)] == nil)
        table[TableKey(address, port: 80)] = 5
        #expect(table[TableKey(address, port: 80)] == 5 && table.count == 4)
    }

    /// Beside a Dictionary, with keys that come in no order.
    @Test func itIsADictionary() {
        var table = SortedTable(room: 10)
        var expected: [UInt64: UInt64] = [:]
        var random = SystemRandomNumberGenerator()
        for round in 0..<20_000 as Range<UInt64> {
            let id = UInt64.random(in: 0..<500, using: &random) &* 0x9e37_79b9_7f4a_7c15
            let value = Bool.random(using: &random) ? round : nil
            table[TableKey(bootID: id)] = value
            expected[id] = value
            #expect(table.count == expected.count)
        }
        #expect(expected.allSatisfy { table[TableKey(bootID: $0.key)] == $0.value })
    }

    @Test func lowNumbersAreRemovedTogether() {
        var table = SortedTable()
        for id in 0..<100 as Range<UInt64> { table[TableKey(bootID: id)] = id % 10 }
        table.remove(upTo: 6)
        #expect(table.count == 30)
        for id in 0..<100 as Range<UInt64> { #expect(table[TableKey(bootID: id)] == (id % 10 > 6 ? id % 10 : nil)) }
        table.remove(upTo: 9)
        #expect(table.count == 0)
        table.remove(upTo: 9)
        #expect(table.count == 0)
    }
}
