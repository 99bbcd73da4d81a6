// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@Suite struct SourceAddressesTests {
    /// The first of our own is that of the row. used: what the kernel has chosen.
    @Test(
        arguments: [
            (["10.0.0.9", "10.1.0.9"], "10.1.0.4", "10.2.0.9", ["10.1.0.9", "10.0.0.9"]),
            (["10.1.0.9", "10.0.0.9"], "10.1.0.4", "10.2.0.9", ["10.1.0.9", "10.0.0.9"]),
            (["10.0.0.9", "10.1.0.9"], "10.1.0.4", "10.1.0.9", []),
            (["10.0.0.9"], "10.0.0.4", "10.0.0.9", []),
            (["10.0.0.9"], "10.0.0.4", "10.0.0.8", ["10.0.0.9"]),
            (
                ["10.0.0.9", "10.0.0.6", "10.0.0.5", "10.0.0.7", "10.0.0.4"], "10.0.0.4", "10.9.0.9",
                ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.9"]
            ),
            // Of another family, or of one machine only.
            (["2001:db8::1", "10.0.0.9"], "10.0.0.4", "10.0.0.8", ["10.0.0.9"]),
            (
                ["2001:db8::1", "2001:db8:1::1", "10.0.0.9"], "2001:db8:1::4", "2001:db8::2",
                ["2001:db8:1::1", "2001:db8::1"]
            ),
            (["127.0.0.1", "10.0.0.9"], "10.0.0.4", "10.0.0.8", ["10.0.0.9"]),
            (["127.0.0.1", "10.0.0.9"], "127.0.0.4", "127.0.0.2", ["127.0.0.1"]),
            ([], "10.0.0.4", "10.0.0.8", []),
        ] as [([String], String, String, [String])])
    func found(own: [String], server: String, used: String, sources: [String]) throws {
        let table = TestSegment()
        if let first = own.first {
            var facts = announcement(first)
            bh_row_store(table.row(3), &facts)
            bh_word_store(&table.row(3).pointee.heard_ms, 1)
        }
        for (number, other) in own.dropFirst().enumerated() {
            bh_row_set_other(table.segment, 3, UInt32(number), try #require(parseAddress(other)))
        }
        try withUnsafeTemporaryAllocation(of: bh_address_t.self, capacity: mostSources) { room in
            let count = findSources(
                table.segment, row: 3, server: try #require(parseAddress(server)),
                used: try #require(parseAddress(used)), into: room.baseAddress!)
            #expect(room[..<Int(count)].map { $0 } == sources.compactMap { parseAddress($0) })
        }
    }
}
