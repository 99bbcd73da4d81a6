// Licensed under the Apache License, Version 2.0; see LICENSE.

// The cookie that bySession sets. Its line in the configuration is a value of Set-Cookie without the cookie's own:
// "ROUTE; Path=/shop; SameSite=Strict".

private let semicolon = UInt8(ascii: ";")

/// What a line has that does not say otherwise; Secure only for clients that use TLS.
private var usual: StaticString { "Path=/; HttpOnly; SameSite=Lax; Secure" }
private let lengthOfSecure = 8

/// Writes the cookie with this value, in hexadecimal digits, and with the attributes that its line lacks.
public func writeSessionCookie(
    _ line: UnsafePointer<CChar>, tag: UInt64, secure: Bool, into writer: inout Writer
) {
    let line = Piece(line)
    let name = line.upTo(semicolon)
    writer.add(name)
    writer.add(UInt8(ascii: "="))
    var shift: UInt64 = 64
    while shift > 0 {
        shift &-= 4
        writer.add(hexDigit(UInt8(truncatingIfNeeded: tag >> shift & 15)))
    }
    writer.add(line.dropping(name.count))
    let all = Piece(usual)
    addAttributes(of: secure ? all : all.prefix(all.count &- lengthOfSecure), lackedBy: line, into: &writer)
}

/// Whether the line has a cookie's name, of at most 64 bytes, and attributes that the cookie may have.
public func isSessionCookie(_ line: UnsafePointer<CChar>) -> Bool {
    var rest = Piece(line)
    let name = rest.upTo(semicolon)
    guard isSessionText(name), name.place(of: UInt8(ascii: "=")) == nil else { return false }
    rest = rest.dropping(name.count)
    while var attribute = takeAttribute(&rest) {
        guard isKnown(attribute) || (isSessionText(attribute) && attribute.take(anyCase: "Path=/")) else {
            return false
        }
    }
    return true
}

/// Attributes that a line may have. Of a literal alone, a piece would be that of a String, which is gone at once.
private var allowed: StaticString { "Secure;HttpOnly;SameSite=Lax;SameSite=Strict;SameSite=None" }

private func isKnown(_ attribute: Piece) -> Bool {
    var words = Piece(allowed)
    while let word = takeAttribute(&words) {
        if word.equals(attribute) { return true }
    }
    return false
}

/// Whether it has 1 to 64 bytes that a cookie's name, an attribute, or a session's identifier may have.
@inline(never)
public func isSessionText(_ text: Piece) -> Bool {
    for place in 0..<text.count {
        let byte = text.start[place]
        guard byte > 0x20, byte < 0x7f, !endsValue(byte), place < 64 else { return false }
    }
    return text.count > 0
}

/// Whether no value of a cookie or of a query has this byte.
public func endsValue(_ byte: UInt8) -> Bool {
    switch byte {
    case 0, UInt8(ascii: ";"), UInt8(ascii: ","), UInt8(ascii: "&"), UInt8(ascii: "\""), UInt8(ascii: " "),
        UInt8(ascii: "\t"):
        true
    default: false
    }
}
