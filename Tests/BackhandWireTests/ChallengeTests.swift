// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandWire
import Testing

@Suite struct ChallengeTests {
    private static let sample = Challenge(
        bootID: 0x0123_4567_89ab_cdef, nonce: Nonce(high: 0x1111_2222_3333_4444, low: 0x5555_6666_7777_8888))

    private static func encoded() -> [UInt8] {
        var room = [UInt8](repeating: 0xee, count: challengeSize)
        #expect(room.withUnsafeMutableBytes { sample.encode(into: $0) } == 68)
        return room
    }

    private func decode(_ bytes: [UInt8]) -> Challenge? { bytes.withUnsafeBytes { Challenge($0) } }

    /// As docs/protocol.md draws it.
    @Test func bytes() {
        #expect(
            Self.encoded() == [
                0x42, 0x4b, 0x48, 0x44, 1, 1, 0, 68, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x66, 0x66, 0x77, 0x77, 0x88, 0x88, 0, 3, 0,
                32,
            ]
                + [UInt8](repeating: 0xee, count: 32))
        #expect(decode(Self.encoded()) == Self.sample)
    }

    @Test func noRoom() {
        for size in 0..<challengeSize {
            var room = [UInt8](repeating: 0xee, count: size)
            #expect(room.withUnsafeMutableBytes { Self.sample.encode(into: $0) } == 0)
            #expect(room.allSatisfy { $0 == 0xee })
        }
    }

    /// Each byte of the first eight counts, and the length.
    @Test func nothingElseIsOne() {
        for place in 0..<8 {
            var bytes = Self.encoded()
            bytes[place] ^= 2
            #expect(decode(bytes) == nil, "byte \(place)")
        }
        for size in 0..<challengeSize { #expect(decode(Array(Self.encoded().prefix(size))) == nil) }
        #expect(decode(Self.encoded() + [0]) == nil)
    }

    /// Nobody who awaits announcements takes it for one.
    @Test func isNoAnnouncement() {
        guard case .dropped(BH_COUNT_TRUNCATED) = Self.encoded().withUnsafeBytes({ decodeAnnouncement($0) }) else {
            Issue.record("taken for an announcement")
            return
        }
    }
}

@Suite struct SignedTests {
    private func facts() -> bh_facts_t {
        var facts = bh_facts_t()
        facts.address = bh_address_t(ipv4: 0x0a00_0004)
        facts.port = 80
        facts.worker_memory = 4096
        facts.sent_ms = 0x0102_0304_0506_0708
        facts.changed_wall = -2
        return facts
    }

    private func encoded(answering: Nonce?, signed: Bool) -> [UInt8] {
        var room = [UInt8](repeating: 0xee, count: announcementLimit)
        let length = room.withUnsafeMutableBytes {
            encodeAnnouncement(facts(), answering: answering, signed: signed, into: $0)
        }
        return Array(room.prefix(length))
    }

    /// The signature is last, and what is signed holds the whole length.
    @Test func theSignatureIsLast() throws {
        let plain = encoded(answering: nil, signed: false), signed = encoded(answering: nil, signed: true)
        #expect(signed.count == plain.count + 24 + 36)
        #expect(Array(signed[plain.count..<(plain.count + 12)]) == [0, 7, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8])
        #expect(
            Array(signed[(plain.count + 12)..<(plain.count + 24)]) == [
                0, 11, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254,
            ])
        #expect(Array(signed[96..<plain.count]) == Array(plain[96...]))
        #expect(Int(signed[6]) << 8 | Int(signed[7]) == signed.count)
        let unsigned: [UInt8] = [0, 3, 0, 32] + Array(repeating: 0xee, count: 32)
        #expect(Array(signed.suffix(36)) == unsigned)
        signed.withUnsafeBytes { bytes in
            let parts = SignedParts(bytes)
            #expect(parts?.content.count == signed.count - 32)
            #expect(parts?.signature.count == 32)
            guard case .announcement(let heard) = decodeAnnouncement(bytes) else {
                Issue.record("no announcement")
                return
            }
            #expect(heard.sent_ms == 0x0102_0304_0506_0708 && heard.changed_wall == -2)
        }
        #expect(plain.withUnsafeBytes { SignedParts($0) == nil })
        for size in 0..<100 { #expect([UInt8](repeating: 0, count: size).withUnsafeBytes { SignedParts($0) == nil }) }
    }

    @Test(arguments: [Nonce(high: 0, low: 0), Nonce(high: .max, low: 1), nil])
    func answers(nonce: Nonce?) {
        #expect(encoded(answering: nonce, signed: true).withUnsafeBytes { answeredNonce($0) } == nonce)
        #expect(encoded(answering: nonce, signed: false).withUnsafeBytes { answeredNonce($0) } == nonce)
    }

    /// A nonce of another length is none; bytes that are no announcement are no trap.
    @Test func wrongNonces() {
        var bytes = encoded(answering: Nonce(high: 1, low: 2), signed: false)
        bytes.removeLast()
        #expect(bytes.withUnsafeBytes { answeredNonce($0) } == nil)
        bytes[bytes.count - 16] = 15  // the length of its value
        #expect(bytes.withUnsafeBytes { answeredNonce($0) } == nil)
        for size in 0..<bytes.count { _ = Array(bytes.prefix(size)).withUnsafeBytes { answeredNonce($0) } }
        #expect([UInt8](repeating: 0xff, count: 1200).withUnsafeBytes { answeredNonce($0) } == nil)
    }
}
