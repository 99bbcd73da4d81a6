// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// Whether a client with this Accept header takes JSON: application/json is in it, and its q is not 0.
func acceptsJSON(_ accept: Word) -> Bool {
    var types = accept.pieces(at: UInt8(ascii: ","))
    while let type = types.next() {
        var parts = type.pieces(at: UInt8(ascii: ";"))
        guard let name = parts.next(), trimmed(name).equals("application/json", ignoringCase: true) else { continue }
        while let part = parts.next() {
            if isZero(part) { return false }
        }
        return true
    }
    return false
}

/// "q=0", "q=0.000".
private func isZero(_ parameter: Word) -> Bool {
    let (name, value) = parameter.split(at: UInt8(ascii: "="))
    guard let value, trimmed(name).equals("q", ignoringCase: true) else { return false }
    let digits = trimmed(value)
    return !digits.bytes.isEmpty && digits.bytes.allSatisfy { $0 == UInt8(ascii: "0") || $0 == Ascii.point }
}

/// Whether only browsers send a header with this name.
func isOfBrowsers(_ header: Word) -> Bool {
    let names: InlineArray<4, StaticString> = ["origin", "referer", "cookie", "accept-language"]
    for place in names.indices where header.equals(names[place], ignoringCase: true) { return true }
    return header.prefix(10).equals("sec-fetch-", ignoringCase: true)
}
