// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// The value of Domain in a Set-Cookie header, without its dot; nil: there is none, or it is empty.
func cookieDomain(_ cookie: Word) -> Word? {
    var pieces = cookie.pieces(at: UInt8(ascii: ";"))
    _ = pieces.next()
    // Of several the last one counts (RFC 6265, section 5.3).
    var found: Word?
    while let piece = pieces.next() {
        let (name, value) = piece.split(at: UInt8(ascii: "="))
        guard let value, trimmed(name).equals("domain", ignoringCase: true) else { continue }
        let domain = trimmed(value)
        found = domain.bytes.first == UInt8(ascii: ".") ? domain.dropping(1) : domain
    }
    return found.flatMap { $0.bytes.isEmpty ? nil : $0 }
}

/// Without blanks at its ends.
func trimmed(_ word: Word) -> Word {
    var rest = word
    while let first = rest.bytes.first, isBlank(first) { rest = rest.dropping(1) }
    while let last = rest.bytes.last, isBlank(last) { rest = rest.prefix(rest.bytes.count &- 1) }
    return rest
}

private func isBlank(_ byte: UInt8) -> Bool { byte == Ascii.space || byte == Ascii.tab }
