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
