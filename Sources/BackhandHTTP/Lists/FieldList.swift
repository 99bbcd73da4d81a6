// Licensed under the Apache License, Version 2.0; see LICENSE.

// Lists with commas in headers: "no-cache, max-age=60". Commas in quotes are part of an element.

private let comma = UInt8(ascii: ",")

/// Whether the list has the element; byName: or one with the same name before a '='.
public func listHas(_ list: UnsafePointer<CChar>, _ element: UnsafePointer<CChar>, byName: Bool) -> Bool {
    Piece(list).has(Piece(element), byName)
}

/// Writes the elements of a list that are not known already, each once.
///
/// The text has at most twice as many bytes as the list.
func writeElements(of list: Piece, byName: Bool, into writer: inout Writer, unless isKnown: (Piece) -> Bool) {
    var rest = list
    while let element = takeElement(&rest) {
        let before = list.prefix(list.start.distance(to: element.start))
        guard !before.has(element, byName), !isKnown(element) else { continue }
        if writer.length > 0 { writer.add(", ") }
        writer.add(element)
    }
}

extension Piece {
    @inline(never)
    func has(_ element: Piece, _ byName: Bool) -> Bool {
        var rest = self
        while let each = takeElement(&rest) {
            if byName ? each.name.equals(element.name) : each.equals(element) { return true }
        }
        return false
    }

    private var name: Piece { upTo(UInt8(ascii: "=")) }
}

/// The next element, without blanks around it; nil at the end.
@inline(never)
private func takeElement(_ rest: inout Piece) -> Piece? {
    rest.skipBlanks(and: comma)
    let list = rest
    var isQuoted = false
    while !rest.isEmpty, isQuoted || rest.start.pointee != comma {
        let isEscape = isQuoted && rest.start.pointee == UInt8(ascii: "\\") && rest.count > 1
        if rest.start.pointee == UInt8(ascii: "\"") { isQuoted.toggle() }
        rest = rest.dropping(isEscape ? 2 : 1)
    }
    let length = list.count &- rest.count
    return length == 0 ? nil : list.prefix(length).trimmed()
}
