// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@Suite struct KnownAddressesTests {
    let table = TestSegment(bootID: 1)

    private func knows(_ text: String) -> Bool { bh_segment_knows(table.segment, announcement(text).address) }

    @Test func noAddressIsAServersBeforeItIsHeard() {
        #expect(!knows("10.0.0.4"))
        #expect(!bh_segment_knows(table.segment, bh_address_t()))
    }

    @Test func rowsAndTheirOtherAddressesAreKnown() {
        var writer = table.writer()
        writer.writeSelf(
            announcement("10.0.0.1", boot: 1),
            also: [announcement("10.0.0.1").address, announcement("10.1.0.1").address], now: 1000, wall: 5)
        #expect(writer.hear(announcement("10.0.0.4", boot: 7, sequence: 1), now: 1000, wall: 5) == .row(1))
        #expect(writer.hear(announcement("10.1.0.4", boot: 7, sequence: 1), now: 1001, wall: 5) == .repeated)
        #expect(
            writer.hear(
                announcement("10.2.0.4", boot: 7, sequence: 2), from: announcement("10.3.0.4").address, now: 1002,
                wall: 5) == .row(1))
        for address in ["10.0.0.1", "10.1.0.1", "10.0.0.4", "10.1.0.4", "10.2.0.4", "10.3.0.4"] {
            #expect(knows(address), "\(address)")
        }
        for address in ["10.0.0.2", "10.1.0.2", "0.0.0.0", "::1"] { #expect(!knows(address), "\(address)") }
        // What is kept in the segment, a new moderator has.
        _ = table.writer()
        for address in ["10.0.0.1", "10.1.0.1", "10.0.0.4", "10.1.0.4", "10.2.0.4", "10.3.0.4"] {
            #expect(knows(address), "\(address)")
        }
    }

    @Test func oldNumbersTeachNoAddress() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7, sequence: 100), now: 1000, wall: 5)
        #expect(writer.hear(announcement("10.1.0.4", boot: 7, sequence: 96), now: 1001, wall: 5) == .repeated)
        #expect(!knows("10.1.0.4"))
    }

    @Test func silentServersAndAddressesAreForgotten() {
        var writer = table.writer()
        for second in UInt64(1)...10 {
            _ = writer.hear(announcement("10.0.0.4", boot: 7, sequence: second), now: second * 1000, wall: 5)
            if second < 4 {
                _ = writer.hear(announcement("10.1.0.4", boot: 7, sequence: second), now: second * 1000, wall: 5)
            }
            if second == 1 { _ = writer.hear(announcement("10.0.0.5", boot: 8), now: second * 1000, wall: 5) }
            writer.expire(after: 5000, now: second * 1000)
            #expect(knows("10.0.0.4"))
            #expect(knows("10.1.0.4") == (second < 8))
            #expect(knows("10.0.0.5") == (second < 6))
        }
    }

    @Test func aServerThatMovesTakesItsAddressesAlong() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7, sequence: 50), now: 1000, wall: 5)
        // The next httpd of that server is heard by its other network first.
        #expect(writer.hear(announcement("10.1.0.4", boot: 8, sequence: 1), now: 5000, wall: 5) == .row(2))
        #expect(writer.hear(announcement("10.0.0.4", boot: 8, sequence: 1), now: 5001, wall: 5) == .row(1))
        #expect(knows("10.0.0.4") && knows("10.1.0.4"))
        // Another address for good: the old one is no server's.
        #expect(writer.hear(announcement("10.2.0.4", boot: 8, sequence: 2), now: 9000, wall: 5) == .row(1))
        #expect(knows("10.2.0.4") && !knows("10.0.0.4"))
    }

    @Test func theFifthOtherAddressTakesTheOldestOnesPlace() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7, sequence: 1), now: 1000, wall: 5)
        for number in UInt64(1)...5 {
            _ = writer.hear(announcement("10.\(number).0.4", boot: 7, sequence: 1), now: 1000 + number, wall: 5)
        }
        _ = table.writer()
        #expect(!knows("10.1.0.4"))
        for number in 2...5 { #expect(knows("10.\(number).0.4")) }
    }

    @Test func aFullTable() {
        var writer = table.writer()
        for server in 1..<Int(BH_ROWS) {
            for network in 0...3 {
                _ = writer.hear(
                    announcement(
                        "10.\(network).\(server / 250).\(server % 250 + 1)", boot: UInt64(server + 1), sequence: 1),
                    now: 1000, wall: 5)
            }
        }
        var missing = 0
        for server in 1..<Int(BH_ROWS) {
            for network in 0...3 where !knows("10.\(network).\(server / 250).\(server % 250 + 1)") { missing += 1 }
        }
        #expect(missing == 0)
        #expect(!knows("10.4.0.1") && !knows("10.0.9.1"))
    }

    @Test func noiseInTheSegmentEndsALookUp() {
        for byte in [UInt8(0xff), 0x55, 0x01] {
            memset(
                UnsafeMutableRawPointer(bh_known_current(table.segment)), Int32(byte),
                MemoryLayout<UInt32>.size + 60 + 16 * 100_00)
            #expect(!knows("10.0.0.4"))
        }
    }
}
