// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandWire
import Testing

@testable import BackhandModerator

/// Not a signature, but a different number for each text and key: what the core does with signatures does not depend on
/// how good they are.
func toyDigest(_ keys: UnsafeRawPointer, _ bytes: UnsafeRawPointer, _ count: Int, _ result: UnsafeMutablePointer<UInt8>)
{
    var sum = UInt64(UInt(bitPattern: keys)) &* 0x9e37_79b9_7f4a_7c15
    for offset in 0..<count {
        sum = (sum ^ UInt64(bytes.load(fromByteOffset: offset, as: UInt8.self))) &* 0x100_0000_01b3
    }
    for place in 0..<32 {
        result[place] = UInt8(truncatingIfNeeded: sum >> 56)
        sum = sum &* 0x5851_f42d_4c95_7f2d &+ 1
    }
}

extension bh_moderator_config_t {
    /// Signs with the number as the key; 0: does not sign.
    mutating func useToyKey(_ key: UInt) {
        keys = UnsafeRawPointer(bitPattern: key)
        sign = { keys, bytes, count, result in
            toyDigest(keys, bytes, count, result)
            return true
        }
        verify = { keys, bytes, count, signature in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { right in
                toyDigest(keys, bytes, count, right.baseAddress!)
                return (0..<32).allSatisfy { right[$0] == signature[$0] }
            }
        }
    }
}

extension NonceMint {
    /// At an address and port that do not matter.
    fileprivate func nonce(for boot: UInt64, now: UInt64, _ signer: Signer) -> Nonce? {
        nonce(for: boot, at: bh_address_t(ipv4: 0x0a00_0001), port: 4000, now: now, signer)
    }
    fileprivate func isFresh(_ nonce: Nonce, for boot: UInt64, now: UInt64, _ signer: Signer) -> Bool {
        isFresh(nonce, for: boot, at: bh_address_t(ipv4: 0x0a00_0001), port: 4000, now: now, signer)
    }
}

@Suite struct NonceMintTests {
    private func signer(_ key: UInt = 7) throws -> Signer {
        var config = bh_moderator_config_t()
        config.useToyKey(key)
        return try #require(Signer(config))
    }

    /// Milliseconds after a nonce was made at the beginning of a slot, and at its end.
    @Test(arguments: [
        (UInt64(4000), UInt64(0), true), (4000, 1999, true), (4000, 2000, false), (5999, 1, true), (5999, 1000, true),
        (5999, 1001, false), (0, 0, true), (0, 2000, false),
    ])
    func isGoodForSomeSeconds(made: UInt64, later: UInt64, good: Bool) throws {
        let (mint, signer) = (try NonceMint(), try signer())
        let nonce = try #require(mint.nonce(for: 5, now: made, signer))
        #expect(mint.isFresh(nonce, for: 5, now: made + later, signer) == good)
    }

    @Test func isBoundToTheServerAndTheMoment() throws {
        let (mint, signer) = (try NonceMint(), try signer())
        let nonce = try #require(mint.nonce(for: 5, now: 9000, signer))
        #expect(!mint.isFresh(nonce, for: 6, now: 9000, signer))
        #expect(!mint.isFresh(nonce, for: 5, now: 6000, signer), "of the future")
        #expect(!mint.isFresh(Nonce(high: nonce.low, low: nonce.high), for: 5, now: 9000, signer))
        #expect(!mint.isFresh(Nonce(high: 0, low: 0), for: 5, now: 9000, signer))
    }

    /// Who plays a recording elsewhere learns nothing of what the server itself is asked.
    @Test(
        arguments: [(UInt32(0x0a00_0001), UInt16(4000), true), (0x0a00_0001, 4001, false), (0x0a00_0002, 4000, false)]
            as [(UInt32, UInt16, Bool)])
    func isBoundToThePlace(address: UInt32, port: UInt16, good: Bool) throws {
        let (mint, signer) = (try NonceMint(), try signer())
        let nonce = try #require(mint.nonce(for: 5, now: 9000, signer))
        #expect(mint.isFresh(nonce, for: 5, at: bh_address_t(ipv4: address), port: port, now: 9000, signer) == good)
    }

    /// A predecessor's nonces, or those of another receiver with the same key, are nothing.
    @Test func isBoundToTheProcess() throws {
        let (mint, other, signer) = (try NonceMint(), try NonceMint(), try signer())
        let nonce = try #require(mint.nonce(for: 5, now: 9000, signer))
        #expect(!other.isFresh(nonce, for: 5, now: 9000, signer))
    }

    @Test func withoutKeysThereIsNoSigner() {
        var config = bh_moderator_config_t()
        config.useToyKey(0)
        #expect(Signer(config) == nil)
        config.useToyKey(1)
        config.verify = nil
        #expect(Signer(config) == nil)
    }
}
