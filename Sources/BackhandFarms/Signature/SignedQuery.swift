// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// A query is signed with a key that both sides have. Its last bytes are ",m=" and the signature in hexadecimal digits;
// what is signed is the path and the query before them, byte by byte as it was sent.

/// Keeps what is signed here from being taken for what the same key signs elsewhere.
private let purpose: StaticString = "Backhand-Athena\n"

private let mark: StaticString = ",m="

/// What a query with a signature at its end signs; nil: none is there.
func signedPart(of query: Word) -> Word? {
    let digits = 2 &* Int(BH_SIGNATURE_SIZE)
    let length = query.bytes.count &- digits &- mark.utf8CodeUnitCount
    guard length >= 0, query.dropping(length).prefix(mark.utf8CodeUnitCount).equals(mark) else { return nil }
    for byte in query.bytes.suffix(digits) where !isLowerHex(byte) { return nil }
    return query.prefix(length)
}

/// Capitals are not read: a signature is written in one way only.
private func isLowerHex(_ byte: UInt8) -> Bool {
    nibble(byte) != nil && !(byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "F"))
}

/// Exactly the whole signature, in hexadecimal digits.
func readSignature<Bytes>(_ hex: Word, into signature: inout Bytes) -> Bool {
    guard hex.bytes.count == 2 &* Int(BH_SIGNATURE_SIZE) else { return false }
    return withUnsafeMutableBytes(of: &signature) { signature in
        for place in 0..<Int(BH_SIGNATURE_SIZE) {
            let (first, second) = (hex.bytes[2 &* place], hex.bytes[2 &* place &+ 1])
            guard isLowerHex(first), isLowerHex(second), let high = nibble(first), let low = nibble(second) else {
                return false
            }
            signature[place] = high << 4 | low
        }
        return true
    }
}

/// Writes what the request signs; 0: it has no signature, or the room is too small.
func writeSigned(_ request: bh_ath_request_t, into room: UnsafeMutablePointer<CChar>, _ size: Int) -> Int {
    guard request.is_signed, let query = Word(request.signed_query, most: Int(BH_ATH_QUERY_MOST)) else { return 0 }
    let path = request.kind.path
    let length = purpose.utf8CodeUnitCount &+ path.utf8CodeUnitCount &+ 1 &+ query.bytes.count
    guard length <= size else { return 0 }
    var writer = LineWriter(room, size, reserved: 0)
    writer.add(purpose)
    writer.add(path)
    writer.add(Ascii.newline)
    for byte in query.bytes { writer.add(byte) }
    return writer.length
}

/// Whether the time of a signed query is near enough to that of this httpd.
func isFresh(_ time: Int64, now: Int64) -> Bool {
    let (distance, overflow) = time.subtractingReportingOverflow(now)
    return !overflow && distance.magnitude <= UInt64(BH_ATH_AGE_MOST)
}

/// Whether one of the keys has signed the request, not long ago.
func checkSignature(
    _ request: bh_ath_request_t, now: Int64, _ keys: UnsafeRawPointer, _ verify: bh_verify_fn,
    _ room: UnsafeMutablePointer<CChar>, _ roomSize: Int
) throws(Complaint) {
    guard request.is_signed else {
        throw Complaint(BH_ATH_EUNSIGNED, "the query is not signed: t= and m= are missing")
    }
    guard isFresh(request.time_s, now: now) else {
        throw Complaint(BH_ATH_ESTALE, "t= is more than 300 seconds away from this server's clock")
    }
    let length = writeSigned(request, into: room, roomSize)
    guard length > 0 else { throw impossible }
    let isGenuine = withUnsafeBytes(of: request.signature) { signature in
        guard let start = signature.baseAddress else { return false }
        return verify(keys, room, length, start.assumingMemoryBound(to: UInt8.self))
    }
    guard isGenuine else {
        throw Complaint(BH_ATH_EFORGED, "m= is not the signature of this query by any key here")
    }
}
