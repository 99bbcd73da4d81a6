// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// The values that a Cookie header has of one cookie, one after the other, without quotes around them.
struct CookieValues {
    private var rest: Word?
    private let name: Word

    init(of name: Word, in header: Word) { (rest, self.name) = (header, name) }

    /// nil at the end.
    mutating func next() -> Word? {
        while let header = rest {
            let length = header.bytes.firstIndex(where: endsCookie) ?? header.bytes.count
            rest = length < header.bytes.count ? header.dropping(length &+ 1) : nil
            let (name, value) = header.prefix(length).split(at: UInt8(ascii: "="))
            if let value, trimmed(name).equals(self.name, ignoringCase: false) { return unquoted(trimmed(value)) }
        }
        return nil
    }
}

/// httpd joins several headers with a comma, which no browser sends in a value.
private func endsCookie(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ";") || byte == UInt8(ascii: ",") }

private func unquoted(_ value: Word) -> Word {
    let quote = UInt8(ascii: "\"")
    guard value.bytes.count > 1, value.bytes.first == quote, value.bytes.last == quote else { return value }
    return value.prefix(value.bytes.count &- 1).dropping(1)
}

/// Whether a cookie may have the name: a token of RFC 9110, of at most 64 bytes.
func isCookieName(_ name: Word) -> Bool {
    guard !name.bytes.isEmpty, name.bytes.count <= 64 else { return false }
    for byte in name.bytes where !isPrintable(byte) || Word(separators.bytes).contains(byte) { return false }
    return true
}

private let separators: StaticString = " ()<>@,;:\\\"/[]?={}"
