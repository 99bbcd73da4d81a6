// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandWire

/// Makes and checks signatures with the callbacks of the moderator's maker. Only the maker has the keys.
struct Signer {
    private let keys: UnsafeRawPointer
    private let make: bh_sign_fn
    private let check: bh_verify_fn
    /// Whether others must sign too.
    let isRequired: Bool

    /// nil if announcements are not signed.
    init?(_ config: bh_moderator_config_t) {
        guard let keys = config.keys, let make = config.sign, let check = config.verify else { return nil }
        self.keys = keys
        self.make = make
        self.check = check
        isRequired = !config.keys_optional
    }

    /// Fills the last 32 of the first length bytes with the signature of those before them; false if it cannot be had.
    func sign(_ datagram: UnsafeMutableRawBufferPointer, _ length: Int) -> Bool {
        let end = length - signatureSize
        guard end > 0, let start = datagram.baseAddress else { return false }
        return make(keys, start, end, (start + end).assumingMemoryBound(to: UInt8.self))
    }

    /// Whether one of the keys has signed the content.
    func verify(_ parts: SignedParts) -> Bool {
        guard let content = parts.content.baseAddress, let signature = parts.signature.baseAddress else { return false }
        return check(keys, content, parts.content.count, signature.assumingMemoryBound(to: UInt8.self))
    }

    /// The first 16 bytes of the text's signature; nil if it cannot be had.
    func digest(_ text: InlineArray<8, UInt64>) -> Nonce? {
        var result = InlineArray<4, UInt64>(repeating: 0)
        let made = withUnsafeBytes(of: text) { text in
            withUnsafeMutableBytes(of: &result) { room in
                make(keys, text.baseAddress!, text.count, room.baseAddress!.assumingMemoryBound(to: UInt8.self))
            }
        }
        return made ? Nonce(high: result[0], low: result[1]) : nil
    }
}
