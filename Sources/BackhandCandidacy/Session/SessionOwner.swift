// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand

/// The server that a session id names, written by that server in front of the id proper.
struct SessionOwner: Equatable {
    let address: bh_address_t
    /// nil: any server of that address.
    let port: UInt16?

    init(address: bh_address_t, port: UInt16?) {
        self.address = address
        self.port = port
    }

    /// Reads the beginning of a session id; nil if no server is named there.
    ///
    /// Three forms: 8 digits, the octets of an IPv4 address; the same with "-", 4 digits of the port, and "-" or the
    /// end of the value; 32 digits of any address, always with the port so written. Session ids are hexadecimal
    /// themselves very often: the minus is what tells an address with its port from an address in front of such an id.
    init?(_ value: UnsafePointer<UInt8>) {
        guard let octets = readHex(value, digits: 8) else { return nil }
        if let high = readHex(value, digits: 16), let low = readHex(value + 16, digits: 16),
            let port = readPort(value + 32)
        {
            self.init(address: bh_address_t(high: high, low: low), port: port)
        } else {
            self.init(address: bh_address_t(ipv4: UInt32(truncatingIfNeeded: octets)), port: readPort(value + 8))
        }
    }

    /// Whether the row is that server's.
    func has(_ segment: UnsafePointer<bh_segment_t>, _ id: UInt32) -> Bool {
        let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, id))
        // One word tells nearly always that it is another server; only then is the whole row worth its copy.
        guard bh_word_load(&row.pointee.facts.address.low) == address.low else { return false }
        var facts = bh_facts_t()
        guard bh_row_copy(row, &facts) else { return false }
        return facts.address == address && (port == nil || port == facts.port)
    }
}

/// A number of exactly this many hexadecimal digits, at most 16; nil if there are fewer. Further ones are not looked
/// at.
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
private func readPort(_ text: UnsafePointer<UInt8>) -> UInt16? {
    guard text.pointee == UInt8(ascii: "-"), let port = readHex(text + 1, digits: 4) else { return nil }
    guard text[5] == UInt8(ascii: "-") || endsValue(text[5]) else { return nil }
    return UInt16(truncatingIfNeeded: port)
}

/// Whether no value of a cookie or of a query has this byte.
func endsValue(_ byte: UInt8) -> Bool {
    switch byte {
    case 0, UInt8(ascii: ";"), UInt8(ascii: ","), UInt8(ascii: "&"), UInt8(ascii: "\""), UInt8(ascii: " "),
        UInt8(ascii: "\t"):
        true
    default: false
    }
}
