// Licensed under the Apache License, Version 2.0; see LICENSE.

// The lists in Connection and Proxy-Connection. They are cut where mod_proxy cuts them (ap_get_token, with ';' skipped
// as ',' is): a name that mod_proxy would find must not be missed.

/// Names to be looked for in a list, as C has them: the last is NULL.
public typealias Names = UnsafePointer<UnsafePointer<CChar>?>

/// Whether the list has one of the names.
public func listNames(_ list: UnsafePointer<CChar>, oneOf names: Names) -> Bool {
    var rest = Piece(list)
    while let token = takeToken(&rest) {
        if token.isOne(of: names) { return true }
    }
    return false
}

/// Writes the list without the names.
///
/// A token of one letter and its comma become three letters at most: the text has at most twice as many bytes as the
/// list.
public func writeList(_ list: UnsafePointer<CChar>, without names: Names, into writer: inout Writer) {
    var rest = Piece(list)
    while let token = takeToken(&rest) {
        guard !token.isOne(of: names) else { continue }
        if writer.length > 0 { writer.add(", ") }
        writer.add(token)
    }
}

extension Piece {
    @inline(never)
    fileprivate func isOne(of names: Names) -> Bool {
        var next = names
        while let name = next.pointee {
            if equals(Piece(name)) { return true }
            next += 1
        }
        return false
    }
}

/// The next token; nil at the end of the list. What is in quotes is part of a token, whatever it is.
private func takeToken(_ rest: inout Piece) -> Piece? {
    while !rest.isEmpty, isBetween(rest.start.pointee) { rest = rest.dropping(1) }
    let list = rest
    var isQuoted = false
    while !rest.isEmpty, isQuoted || !isBetween(rest.start.pointee) {
        if rest.start.pointee == UInt8(ascii: "\"") { isQuoted.toggle() }
        rest = rest.dropping(1)
    }
    let length = list.count &- rest.count
    return length == 0 ? nil : list.prefix(length)
}

private func isBetween(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") || isSpace(byte)
}
