// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandWire
import Testing

@Suite struct EncodeTests {
    /// Every length of buffer that is too short is refused.
    @Test func noRoom() throws {
        var facts = bh_facts_t()
        facts.address = try #require(parseAddress("10.0.0.4"))
        facts.port = 80
        var room = [UInt8](repeating: 0, count: announcementLimit)
        let length = room.withUnsafeMutableBytes { encodeAnnouncement(facts, into: $0) }
        #expect(length == 96 + 4 + 7)
        for size in 0..<length {
            #expect(room.withUnsafeMutableBytes {
                encodeAnnouncement(facts, into: UnsafeMutableRawBufferPointer(rebasing: $0[0..<size]))
            } == 0)
        }
    }
}
