// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText
internal import CBackhand

/// Whether the byte may stand in a name that a client is sent to. The underscore is in no host name by the book, but in
/// some by habit.
func isOfHostName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
    default: false
    }
}

/// Whether a client may be sent to the name: parts with dots between, an IPv4 address, or an IPv6 address in brackets.
/// The text ends with a NUL.
func isHostName(_ text: UnsafePointer<UInt8>) -> Bool {
    guard text.pointee != UInt8(ascii: "[") else { return isBracketed(text) }
    var length = 0
    var partBegins = true
    var lastIsNumber = true
    while text[length] != 0 {
        let byte = text[length]
        guard isOfHostName(byte), length < Int(BH_NAME_SIZE) - 1 else { return false }
        if byte == UInt8(ascii: ".") {
            guard !partBegins else { return false }
            lastIsNumber = true
        } else if byte < UInt8(ascii: "0") || byte > UInt8(ascii: "9") {
            lastIsNumber = false
        }
        partBegins = byte == UInt8(ascii: ".")
        length += 1
    }
    guard !partBegins else { return false }
    // Clients take everything whose last part is a number for an address.
    return !lastIsNumber || address(text) != nil
}

private func address(_ text: UnsafePointer<UInt8>) -> bh_address_t? {
    parseAddress(UnsafeRawPointer(text).assumingMemoryBound(to: CChar.self))
}

/// "[2001:db8::4]".
private func isBracketed(_ text: UnsafePointer<UInt8>) -> Bool {
    var length = 0
    while text[length + 1] != 0, text[length + 1] != UInt8(ascii: "]") {
        guard length < Int(BH_ADDRESS_SIZE) else { return false }
        length += 1
    }
    guard text[length + 1] != 0, text[length + 2] == 0,
        let address = Word(UnsafeBufferPointer(start: text + 1, count: length)).address
    else { return false }
    return address.ipv4 == nil
}
