// Licensed under the Apache License, Version 2.0; see LICENSE.

// A value of Set-Cookie: "name=value; Path=/; Domain=shop.example; Secure".

private let semicolon = UInt8(ascii: ";")

/// Whether a client keeps only one of two cookies: name, domain and path are the same.
func isSameCookie(_ left: UnsafePointer<CChar>, _ right: UnsafePointer<CChar>) -> Bool {
    let (left, right) = (Piece(left), Piece(right))
    guard left.upTo(anyOf: "=;").isSame(as: right.upTo(anyOf: "=;")), path(of: left).isSame(as: path(of: right)) else {
        return false
    }
    return (domain(of: left) ?? left.prefix(0)).equals(domain(of: right) ?? right.prefix(0))
}

/// Writes the cookie, with the attributes of another line that it lacks.
func writeCookie(
    _ cookie: UnsafePointer<CChar>, attributesOf line: UnsafePointer<CChar>, into writer: inout Writer
) {
    let (cookie, line) = (Piece(cookie), Piece(line))
    writer.add(cookie)
    addAttributes(of: line, lackedBy: cookie, into: &writer)
}

/// Adds the attributes of a line that the cookie lacks.
@inline(never)
func addAttributes(of line: Piece, lackedBy cookie: Piece, into writer: inout Writer) {
    var rest = line
    while let attribute = takeAttribute(&rest) {
        let name = attribute.upTo(UInt8(ascii: "="))
        let before = line.prefix(line.start.distance(to: attribute.start))
        guard !has(cookie, name), !has(before, name) else { continue }
        writer.add("; ")
        writer.add(attribute)
    }
}

/// The next attribute, the name and value at the beginning included; nil at the end.
@inline(never)
func takeAttribute(_ rest: inout Piece) -> Piece? {
    rest.skipBlanks(and: semicolon)
    let found = rest.upTo(semicolon)
    rest = rest.dropping(found.count)
    return found.isEmpty ? nil : found.trimmed()
}

private func has(_ cookie: Piece, _ name: Piece) -> Bool {
    var rest = cookie
    while let attribute = takeAttribute(&rest) {
        if attribute.upTo(UInt8(ascii: "=")).equals(name) { return true }
    }
    return false
}

/// The value of the last Domain, which is the one that counts, without a point before it; nil if there is none.
@inline(never)
func domain(of cookie: Piece) -> Piece? {
    var found: Piece?
    var rest = cookie
    while let place = rest.place(of: semicolon) {
        rest = rest.dropping(place &+ 1)
        rest.skipSpace()
        guard rest.take(anyCase: "domain=") else { continue }
        if !rest.isEmpty, rest.start.pointee == UInt8(ascii: ".") { rest = rest.dropping(1) }
        found = rest.upTo(anyOf: "; \t")
    }
    return found
}

/// The last Path; empty if there is none.
private func path(of cookie: Piece) -> Piece {
    var found = cookie.prefix(0)
    var rest = cookie
    while let place = rest.place(of: semicolon) {
        rest = rest.dropping(place &+ 1)
        rest.skipBlanks()
        if rest.take(anyCase: "path=") { found = rest.upTo(anyOf: "; \t") }
    }
    return found
}
