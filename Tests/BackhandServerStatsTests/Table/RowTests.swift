// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite struct PublicRowTests {
    let table = TestSegment()

    @Test func everyField() throws {
        var facts = announcement("10.1.2.3", port: 8080, hostname: "web7.example.com")
        facts.arriba = 734_832
        facts.load = 3700
        facts.load_hwm = 512_000
        facts.cpu = 871
        facts.ncpu = 4
        facts.workers = 20
        facts.idle_workers = 15
        facts.total_memory = 130_764_800
        facts.free_memory = 65_651_904
        var writer = table.writer()
        _ = writer.hear(facts, now: 1000, wall: 1_700_000_000)
        let row = table.publicRow(1).pointee
        #expect(text(row.hostname) == "web7.example.com")
        #expect(row.mtime == 1_700_000_000)
        #expect(row.contact.sin_family == sa_family_t(AF_INET))
        #expect(row.contact.sin_addr.s_addr == inet_addr("10.1.2.3"))
        #expect(row.contact.sin_port == htons(8080))
        #expect(row.arriba == 734_832)
        #expect(row.aservers == 15)
        #expect(row.nservers == 20)
        #expect(row.load == 3700)
        #expect(row.load_hwm == 512_000)
        #expect(row.cpu == 871)
        #expect(row.ncpu == 4)
        #expect(row.tmem == 124)
        #expect(row.amem == 62)
        #expect(row.numbacked == 0)
        #expect(row.tatime == 0)
    }

    @Test func ipv6HasNoContact() {
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7, sequence: 1), now: 1000, wall: 5)
        _ = writer.hear(announcement("2001:db8::4", boot: 7, sequence: 2), now: 9000, wall: 5)
        let row = table.publicRow(1).pointee
        #expect(row.contact.sin_family == sa_family_t(AF_UNSPEC))
        #expect(row.contact.sin_addr.s_addr == 0)
        #expect(row.contact.sin_port == 0)
    }

    @Test(
        arguments: [
            (0, 0), (1_048_575, 0), (1_048_576, 1), (8_589_934_592, 8192), (0x7fff_ffff_0000_0000, .max), (.max, .max),
        ] as [(UInt64, Int32)])
    func memoryIsClamped(bytes: UInt64, megabytes: Int32) {
        var facts = announcement()
        facts.total_memory = bytes
        facts.free_memory = bytes
        var writer = table.writer()
        _ = writer.hear(facts, now: 1000, wall: 5)
        #expect(table.publicRow(1).pointee.tmem == megabytes)
        #expect(table.publicRow(1).pointee.amem == megabytes)
    }

    @Test(arguments: [0, 1, 38, 39, 40, 63])
    func hostnameIsCut(length: Int) {
        let name = String(repeating: "x", count: length)
        var writer = table.writer()
        _ = writer.hear(announcement(hostname: String(repeating: "y", count: 63)), now: 1000, wall: 5)
        _ = writer.hear(announcement(sequence: 2, hostname: name), now: 1000, wall: 5)
        #expect(text(table.publicRow(1).pointee.hostname) == name.prefix(39))
        #expect(text(table.facts(1)!.hostname) == name)
    }

    @Test(
        arguments: [
            (0, 0, 0, 0),
            (0, 5000, 0, 0),
            (1, 999, 1, 0),
            (1, 1000, 1, 1),
            (957, 6_406_158_000, 957, 6694),
            (.max, .max, .max, 0),
            (1, .max, 1, .max),
        ] as [(UInt64, UInt64, Int32, Int32)])
    func feedback(served: UInt64, microseconds: UInt64, numbacked: Int32, tatime: Int32) {
        var writer = table.writer()
        _ = writer.hear(announcement(), now: 1000, wall: 5)
        table.row(1).pointee.served = served
        table.row(1).pointee.service_us = microseconds
        writer.publishFeedback(nowMicroseconds: 1)
        #expect(table.publicRow(1).pointee.numbacked == numbacked)
        #expect(table.publicRow(1).pointee.tatime == tatime)
        // The next announcement leaves them alone.
        _ = writer.hear(announcement(sequence: 2), now: 2000, wall: 5)
        #expect(table.publicRow(1).pointee.numbacked == numbacked)
    }
}
