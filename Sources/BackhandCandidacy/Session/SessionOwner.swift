// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandHTTP
internal import BackhandServerStats
internal import CBackhand

/// The server that a session names: by its address, which the server itself has written in front of the id proper, or
/// by the tag of a cookie of ours.
struct SessionOwner {
    /// Of the address; the whole of a tag.
    private let high: UInt64
    private let low: UInt64
    /// anyPort: any server of that address.
    private let port: Int32

    /// Reads the beginning of a session id; nil if no server is named there.
    ///
    /// Three forms: 8 digits, the octets of an IPv4 address; the same with "-", 4 digits of the port, and "-" or the
    /// end of the value; 32 digits of any address, always with the port so written. Session ids are hexadecimal
    /// themselves very often: the minus is what tells an address with its port from an address in front of such an id.
    @inline(never)
    init?(_ value: UnsafePointer<UInt8>) {
        guard let octets = readHex(value, digits: 8) else { return nil }
        if let high = readHex(value, digits: 16), let low = readHex(value + 16, digits: 16),
            let port = readPort(value + 32)
        {
            (self.high, self.low, self.port) = (high, low, port)
        } else {
            let address = bh_address_t(ipv4: UInt32(truncatingIfNeeded: octets))
            (high, low, port) = (address.high, address.low, readPort(value + 8) ?? anyPort)
        }
    }

    /// Reads the value of a cookie of ours: 16 digits.
    init?(tag value: UnsafePointer<UInt8>) {
        guard let tag = readHex(value, digits: 16), endsValue(value[16]) else { return nil }
        (high, low, port) = (0, tag, anyPort)
    }

    /// Whether the cookie has this tag.
    func isTag(_ tag: UInt64) -> Bool { low == tag }

    /// Whether the row is that server's.
    ///
    /// - Parameter sessions: how tags are made; nil: it is named by its address.
    @inline(never)
    func has(
        _ segment: UnsafePointer<bh_segment_t>, _ id: UInt32, _ sessions: UnsafePointer<bh_sessions_t>?
    ) -> Bool {
        let row = bh_segment_row(segment, id)
        if let sessions {
            for key in 0..<sessions.pointee.count where isTag(bh_session_tag(sessions, row, key)) { return true }
            return false
        }
        // While the row gets another server this may be of none, so that the session is not recognised once.
        return bh_row_is_at(row, high, low, port)
    }
}

private let anyPort: Int32 = -1

/// A number of exactly this many hexadecimal digits, at most 16; nil if there are fewer. Further ones are not looked
/// at.
@inline(never)
private func readHex(_ text: UnsafePointer<UInt8>, digits: Int) -> UInt64? {
    var number: UInt64 = 0
    for place in 0..<digits {
        let digit: UInt8
        switch text[place] {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = text[place] - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = text[place] - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = text[place] - UInt8(ascii: "A") + 10
        default: return nil
        }
        number = number << 4 | UInt64(digit)
    }
    return number
}

/// "-1f90-", or the same at the end of the value without the second minus.
private func readPort(_ text: UnsafePointer<UInt8>) -> Int32? {
    guard text.pointee == UInt8(ascii: "-"), let port = readHex(text + 1, digits: 4) else { return nil }
    guard text[5] == UInt8(ascii: "-") || endsValue(text[5]) else { return nil }
    return Int32(truncatingIfNeeded: port)
}
