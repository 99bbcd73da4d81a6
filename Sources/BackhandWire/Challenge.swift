// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Bytes of every challenge.
public let challengeSize = ChallengeField.extensions + 4 + signatureSize

/// Where a challenge's fields are; the first eight bytes are those of every datagram.
private enum ChallengeField {
    static let bootID = 8  // u64
    static let nonce = 16  // 16 bytes
    static let extensions = 32
}

private let challengeKind = UInt8(1)

/// Asks the server with the boot id to prove that it is there and has the key, by repeating the nonce.
public struct Challenge: Equatable, Sendable {
    /// The boot id of the server that is to answer.
    public var bootID: UInt64
    /// The number that the answer repeats.
    public var nonce: Nonce

    /// A challenge for this server, with this number.
    public init(bootID: UInt64, nonce: Nonce) {
        self.bootID = bootID
        self.nonce = nonce
    }

    /// Reads one; nil if the datagram is none. Its signature is the caller's business.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == challengeSize, bytes.number(at: Field.magic, as: UInt32.self) == magic,
            bytes[Field.version] == protocolVersion, bytes[Field.kind] == challengeKind,
            Int(bytes.number(at: Field.length, as: UInt16.self)) == bytes.count
        else { return nil }
        bootID = bytes.number(at: ChallengeField.bootID, as: UInt64.self)
        nonce = bytes.nonce(at: ChallengeField.nonce)
    }

    /// Writes it and leaves the last 32 bytes for the signature; returns its length, or 0 if there is no room.
    public func encode(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard buffer.count >= challengeSize else { return 0 }
        buffer.store(magic, at: Field.magic)
        buffer.store(protocolVersion, at: Field.version)
        buffer.store(challengeKind, at: Field.kind)
        buffer.store(UInt16(challengeSize), at: Field.length)
        buffer.store(bootID, at: ChallengeField.bootID)
        buffer.store(nonce.high, at: ChallengeField.nonce)
        buffer.store(nonce.low, at: ChallengeField.nonce + 8)
        encodeSignatureHead(into: buffer, length: challengeSize)
        return challengeSize
    }
}

/// What a signed datagram consists of.
public struct SignedParts {
    /// All before the signature's value.
    public var content: UnsafeRawBufferPointer
    /// The 32 bytes of the signature's value.
    public var signature: UnsafeRawBufferPointer

    /// nil if no signature stands at the end.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        let end = bytes.count - signatureSize
        guard end >= ChallengeField.extensions + 4, bytes.number(at: end - 4, as: UInt16.self) == Tag.signature,
            Int(bytes.number(at: end - 2, as: UInt16.self)) == signatureSize
        else { return nil }
        content = UnsafeRawBufferPointer(rebasing: bytes[..<end])
        signature = UnsafeRawBufferPointer(rebasing: bytes[end...])
    }
}

/// The nonce that an announcement repeats; nil if it is not an answer. For what decodeAnnouncement has found good.
public func answeredNonce(_ bytes: UnsafeRawBufferPointer) -> Nonce? {
    var offset = Field.extensions
    while bytes.count - offset >= 4 {
        let tag = bytes.number(at: offset, as: UInt16.self)
        let length = Int(bytes.number(at: offset + 2, as: UInt16.self))
        offset += 4
        guard length <= bytes.count - offset else { return nil }
        if tag == Tag.nonce { return length == 16 ? bytes.nonce(at: offset) : nil }
        offset += length
    }
    return nil
}

extension UnsafeRawBufferPointer {
    /// The nonce at the offset, which the caller has checked.
    fileprivate func nonce(at offset: Int) -> Nonce {
        Nonce(high: number(at: offset, as: UInt64.self), low: number(at: offset + 8, as: UInt64.self))
    }
}
