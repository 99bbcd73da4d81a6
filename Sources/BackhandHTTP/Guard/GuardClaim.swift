// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// The loop guard's header: "203.0.113.7; t=1700000000; s=0123456789abcdef0123456789abcdef". docs/protocol.md describes
// it. Whether the sender is accepted is decided by the shim, which knows the connection and the keys.

/// More digits would not fit an Int64.
private let mostDigits = 18

private let semicolon = UInt8(ascii: ";")

/// Reads the header's value. Every text is a claim, though perhaps of a client that is not an address.
public func readClaim(_ text: UnsafePointer<CChar>) -> bh_claim_t {
    let value = Piece(text)
    let client = value.upTo(semicolon)
    let plain = withoutZone(client)
    var claim = bh_claim_t()
    claim.client = client.crossing
    claim.plain = plain.count
    if let address = plain.address {
        claim.address = address
        claim.has_address = true
    }
    var rest = value.dropping(client.count)
    guard rest.take("; t="), takeSeconds(&rest, &claim), rest.take("; s=") else { return claim }
    claim.is_signed = readSignature(rest, &claim)
    return claim
}

/// The claim that a front makes for the client with this address, which it has signed in this second.
public func makeClaim(client: UnsafePointer<CChar>, second: Int64) -> bh_claim_t {
    var claim = bh_claim_t()
    claim.client = withoutZone(Piece(client)).crossing
    claim.plain = claim.client.length
    claim.signed_s = max(second, 0)
    claim.digits = 1
    return claim
}

/// RFC 4007 writes a link-local address with its zone, the sender's own name for one of its interfaces: it means
/// nothing here.
private func withoutZone(_ client: Piece) -> Piece {
    guard let zone = client.place(of: UInt8(ascii: "%")) else { return client }
    let address = client.prefix(zone)
    return address.place(of: UInt8(ascii: ":")) == nil ? client : address
}

/// The number and its digits: a text with other zeros before the number is another signed text.
private func takeSeconds(_ rest: inout Piece, _ claim: inout bh_claim_t) -> Bool {
    var digits = 0
    while digits < mostDigits, digits < rest.count, isDigit(rest.start[digits]) {
        claim.signed_s = claim.signed_s &* 10 &+ Int64(rest.start[digits] &- UInt8(ascii: "0"))
        digits &+= 1
    }
    claim.digits = UInt32(truncatingIfNeeded: digits)
    rest = rest.dropping(digits)
    return digits > 0
}

/// Exactly the whole signature, in hexadecimal digits, and then the end.
private func readSignature(_ hex: Piece, _ claim: inout bh_claim_t) -> Bool {
    guard hex.count == 2 * Int(BH_CLAIM_SIGNED_BYTES) else { return false }
    return withUnsafeMutableBytes(of: &claim.signature) { signature in
        for place in 0..<Int(BH_CLAIM_SIGNED_BYTES) {
            guard let high = nibble(hex.start[2 &* place]), let low = nibble(hex.start[2 &* place &+ 1]) else {
                return false
            }
            signature[place] = high << 4 | low
        }
        return true
    }
}

/// nil for capitals too: no front writes them.
private func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit &- UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit &- UInt8(ascii: "a") &+ 10
    default: nil
    }
}

/// The count of hops: one digit below `most`; `most` for any other text.
public func readHops(_ text: UnsafePointer<CChar>, most: Int32) -> Int32 {
    let first = UInt8(bitPattern: text[0])
    guard isDigit(first), text[1] == 0 else { return most }
    return min(Int32(first &- UInt8(ascii: "0")), most)
}
