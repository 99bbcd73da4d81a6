// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandWire
import Testing

/// Reads the datagram from memory that is exactly as long, so that a sanitizer sees a read behind it. What is accepted
/// must be what the rules promise to the table.
private func check(_ bytes: [UInt8]) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: bytes)
    switch decodeAnnouncement(UnsafeRawBufferPointer(memory)) {
    case .announcement(let facts):
        #expect(facts.port != 0)
        #expect(facts.address.isUnicast)
        #expect(bytes.count <= announcementLimit)
        withUnsafeBytes(of: facts.hostname) { name in
            #expect(name[0] != 0)
            #expect(name[63] == 0)
        }
    case .dropped(let counter):
        #expect(
            [BH_COUNT_TRUNCATED, BH_COUNT_OVERSIZED, BH_COUNT_FOREIGN, BH_COUNT_VERSION, BH_COUNT_NONSENSE].contains {
                $0 == counter
            })
    }
}

@Suite struct DecodeTests {
    /// Every prefix of every vector.
    @Test func everyTruncation() {
        for vector in Vector.all {
            for length in 0...vector.bytes.count { check(Array(vector.bytes[..<length])) }
        }
    }

    /// A prefix of a good announcement is never an announcement.
    @Test(arguments: Vector.all.filter { $0.expectation.result == "announcement" })
    func prefixes(vector: Vector) {
        for length in 0..<vector.bytes.count {
            guard case .dropped(let counter) = decode(Array(vector.bytes[..<length])) else {
                Issue.record("accepted \(length) bytes of \(vector.name)")
                continue
            }
            #expect(counter == BH_COUNT_TRUNCATED)
        }
    }

    /// Every bit of a usual announcement, turned over.
    @Test func everyBitFlip() throws {
        let usual = try #require(Vector.all.first { $0.name == "usual" }).bytes
        for bit in 0..<(usual.count * 8) {
            var bytes = usual
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            check(bytes)
        }
    }

    /// Bytes changed, removed, put in, doubled, in all vectors; the length field put right in half of the cases, so
    /// that what stands behind it is reached.
    @Test func mutations() {
        var numbers = SplitMix64(state: 20_000_401)
        for _ in 0..<20_000 {
            var bytes = Vector.all[Int.random(in: 0..<Vector.all.count, using: &numbers)].bytes
            for _ in 0..<Int.random(in: 1...4, using: &numbers) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &numbers)
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &numbers)
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &numbers), at: at)
                default: bytes += bytes[at...].prefix(Int.random(in: 0..<300, using: &numbers))
                }
            }
            if bytes.count >= 8, Bool.random(using: &numbers) {
                bytes[6] = UInt8(truncatingIfNeeded: bytes.count >> 8)
                bytes[7] = UInt8(truncatingIfNeeded: bytes.count)
            }
            check(bytes)
        }
    }

    /// A valid header with random extensions behind it.
    @Test func randomExtensions() throws {
        var numbers = SplitMix64(state: 1_202_001)
        let header = try #require(Vector.all.first { $0.name == "nonsense-no-extensions" }).bytes
        for _ in 0..<5_000 {
            var bytes = header
            for _ in 0..<Int.random(in: 0...40, using: &numbers) {
                let length = Int.random(in: 0...12, using: &numbers)
                bytes += [0, UInt8.random(in: 0...6, using: &numbers), 0, UInt8(length)]
                bytes += (0..<length).map { _ in UInt8.random(in: 45...122, using: &numbers) }
            }
            bytes[6] = UInt8(bytes.count >> 8)
            bytes[7] = UInt8(bytes.count & 255)
            check(bytes)
        }
    }

    /// Room that does not exist.
    @Test func noMemory() {
        guard case .dropped(let counter) = decodeAnnouncement(UnsafeRawBufferPointer(start: nil, count: 0)) else {
            Issue.record("accepted nothing")
            return
        }
        #expect(counter == BH_COUNT_TRUNCATED)
    }

    /// Each byte that a hostname may or may not have.
    @Test func hostnameBytes() throws {
        let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-".utf8)
        let vector = try #require(Vector.all.first { $0.name == "usual" }).bytes
        for byte in UInt8.min...UInt8.max {
            var bytes = vector
            bytes[101] = byte
            if case .announcement = decode(bytes) {
                #expect(allowed.contains(byte))
            } else {
                #expect(!allowed.contains(byte))
            }
        }
    }
}
