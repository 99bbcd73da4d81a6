// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
public import CBackhand

/// Reads an argument of AcceptStats: "10.0.0.4", "10.0.0.0/24", "10.0.0.0/255.255.255.0", "2001:db8::/32".
///
/// Bits of the address after the mask are cleared, as httpd does it in "Require ip".
public func parseNetwork(_ text: UnsafePointer<CChar>) throws(ConfigurationError) -> bh_network_t {
    let word = Word(text)
    let (head, tail) = word.split(at: UInt8(ascii: "/"))
    guard let address = head.address else { throw notANetwork(word, head) }
    let width: UInt32 = head.contains(UInt8(ascii: ":")) ? 128 : 32
    let bits = if let tail { try maskBits(tail, width: width, of: word) } else { width }
    let mask = prefixMask(128 - width + bits)
    return bh_network_t(
        base: bh_address_t(high: address.high & mask.high, low: address.low & mask.low), mask: mask)
}

extension bh_network_t {
    /// The IPv4 addresses that belong to the network, in host byte order; nil if there are none.
    public var ipv4: (base: UInt32, mask: UInt32)? {
        let any = bh_address_t(ipv4: 0)
        guard base.high == any.high & mask.high, base.low & ~0xffff_ffff == any.low & mask.low else { return nil }
        return (UInt32(truncatingIfNeeded: base.low), UInt32(truncatingIfNeeded: mask.low))
    }

    /// Whether the address belongs to the network.
    public func contains(_ address: bh_address_t) -> Bool {
        address.high & mask.high == base.high && address.low & mask.low == base.low
    }
}

/// How many leading bits count, from what stands after the slash.
private func maskBits(_ mask: Word, width: UInt32, of word: Word) throws(ConfigurationError) -> UInt32 {
    if let bits = mask.number(in: 0...UInt64(width)) { return UInt32(bits) }
    if width == 32, let dotted = mask.address?.ipv4 {
        guard (~dotted & (~dotted &+ 1)) == 0 else {
            throw ConfigurationError(
                word, ": the mask ", mask, " has holes: all its ones must stand before its zeros, as in 255.255.255.0")
        }
        return UInt32(dotted.nonzeroBitCount)
    }
    throw ConfigurationError(
        word,
        width == 32
            ? ": after the slash there must be 0 to 32 bits or a mask as 255.255.255.0, not "
            : ": after the slash there must be 0 to 128 bits, not ", mask)
}

/// What was expected; a name gets a hint more.
private func notANetwork(_ word: Word, _ head: Word) -> ConfigurationError {
    ConfigurationError(
        word,
        head.hasLetters && !head.contains(UInt8(ascii: ":"))
            ? " is not a network: names are not resolved; give an address as 10.0.0.4, or a network as 10.0.0.0/24"
            : " is not a network: give an address as 10.0.0.4, or a network as 10.0.0.0/24 or 2001:db8::/32")
}

/// The mask of this many leading ones, 0...128.
private func prefixMask(_ bits: UInt32) -> bh_address_t {
    // Swift's smart shifts give 0 for 64 and more.
    bits <= 64
        ? bh_address_t(high: ~0 << (64 - bits), low: 0)
        : bh_address_t(high: ~0, low: ~0 << (128 - bits))
}
