// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandWire
import Testing

@Suite struct EncodeTests {
    private func facts(hostname: [UInt8] = Array("web1".utf8)) throws -> bh_facts_t {
        var facts = bh_facts_t()
        facts.address = try #require(parseAddress("10.0.0.4"))
        facts.port = 80
        withUnsafeMutableBytes(of: &facts.hostname) { $0.copyBytes(from: hostname) }
        return facts
    }

    /// Every length of buffer that is too short is refused, and nothing is written to it.
    @Test(arguments: [UInt64(0), 4096])
    func noRoom(workerMemory: UInt64) throws {
        var facts = try facts()
        facts.worker_memory = workerMemory
        let length = encode(facts).count
        #expect(length == 96 + 4 + 4 + (workerMemory == 0 ? 0 : 12))
        for size in 0..<length {
            var room = [UInt8](repeating: 0xee, count: size)
            #expect(room.withUnsafeMutableBytes { encodeAnnouncement(facts, into: $0) } == 0)
            #expect(room.allSatisfy { $0 == 0xee })
        }
        var room = [UInt8](repeating: 0, count: length)
        #expect(room.withUnsafeMutableBytes { encodeAnnouncement(facts, into: $0) } == length)
    }

    /// The means take 40 bytes, and none if there are none.
    @Test func means() throws {
        var facts = try facts()
        let without = encode(facts).count
        facts.dispatched = 0x0102_0304_0506_0708
        facts.mean_in_flight = 2500
        facts.arrival_rate = 130_000
        facts.first_byte_us = 11
        facts.latency_us = 20_000
        facts.cpu_used = 1750
        facts.capacity = 2939
        facts.error_ppm = 1_000_000
        let bytes = encode(facts)
        #expect(bytes.count == without + 40)
        #expect(Array(bytes.suffix(40).prefix(16)) == [0, 5, 0, 36, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 9, 0xc4])
        guard case .announcement(let heard) = bytes.withUnsafeBytes({ decodeAnnouncement($0) }) else {
            Issue.record("not understood")
            return
        }
        #expect(heard.dispatched == facts.dispatched && heard.mean_in_flight == 2500 && heard.arrival_rate == 130_000)
        #expect(heard.first_byte_us == 11 && heard.latency_us == 20_000 && heard.cpu_used == 1750)
        #expect(heard.capacity == 2939 && heard.error_ppm == 1_000_000)
        // One byte less is nonsense, not less to read.
        var cut = Array(bytes.dropLast())
        cut[7] -= 1
        cut[cut.count - 36] = 35
        guard case .dropped(BH_COUNT_NONSENSE) = cut.withUnsafeBytes({ decodeAnnouncement($0) }) else {
            Issue.record("a short value was taken")
            return
        }
    }

    /// What is known of connections and checks is left out if it is not known.
    @Test func service() throws {
        var facts = try facts()
        let without = encode(facts).count
        facts.counts_connections = 1
        (facts.connections, facts.listen_queue) = (300, 7)
        facts.check = UInt32(BH_CHECK_FAILING) | BH_FINDING_STATUS.rawValue | 503 << 16
        withUnsafeMutableBytes(of: &facts.check_name) { $0.copyBytes(from: Array("a.test/b-c".utf8)) }
        let bytes = encode(facts)
        #expect(bytes.count == without + 12 + 8 + 10)
        #expect(
            Array(bytes.suffix(30)) == [0, 12, 0, 8, 0, 0, 1, 44, 0, 0, 0, 7, 0, 13, 0, 14, 1, 3, 1, 0xf7]
                + Array("a.test/b-c".utf8))
        guard case .announcement(let heard) = decode(bytes) else {
            Issue.record("not understood")
            return
        }
        #expect((heard.counts_connections, heard.connections, heard.listen_queue) == (1, 300, 7))
        #expect(heard.check == facts.check)
        #expect(withUnsafeBytes(of: heard.check_name) { Array($0.prefix(11)) } == Array("a.test/b-c\0".utf8))
        // A finding of a later program, and values that are not what the tag says.
        var later = bytes
        later[later.count - 13] = 99
        guard case .announcement(let unknown) = decode(later) else {
            Issue.record("not understood")
            return
        }
        #expect(unknown.check & 0xff == BH_FINDING_INVALID.rawValue)
        for (place, byte) in [(14, UInt8(2)), (1, UInt8(ascii: " "))] {
            var wrong = bytes
            wrong[wrong.count - place] = byte
            guard case .dropped(BH_COUNT_NONSENSE) = decode(wrong) else {
                Issue.record("taken")
                return
            }
        }
    }

    /// Hostnames that could not be announced are made ones that can be.
    @Test(arguments: [
        ([], "unknown"),
        (Array("web 1/\"x\"".utf8), "web-1--x-"),
        (Array("wéb".utf8), "w--b"),
        ([UInt8](repeating: 0xff, count: 64), String(repeating: "-", count: 63)),
        ([UInt8](repeating: 0x78, count: 63), String(repeating: "x", count: 63)),
        (Array("web1\0rest".utf8), "web1"),
    ])
    func hostnames(name: [UInt8], announced: String) throws {
        guard case .announcement(let heard) = decode(encode(try facts(hostname: name))) else {
            Issue.record("not decoded")
            return
        }
        #expect(Vector.Facts(heard).hostname == announced)
    }
}
