// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// Whether it can stand where a URL has its host, and is no address with colons: letters, digits, '.', '_' and '-', 253
/// at most.
func isPlain(_ name: Word) -> Bool {
    name.isName && name.bytes.count <= 253 && !name.contains(UInt8(ascii: ":")) && !name.contains(UInt8(ascii: "["))
        && !name.contains(UInt8(ascii: "]"))
}

/// Whether resolvers may have an address for the name: its labels have 1 to 63 bytes, and do not begin with '-'.
///
/// Names of containers have underscores. A dot at the end means that no search domain is tried.
func isHostName(_ name: Word) -> Bool {
    guard isPlain(name) else { return false }
    var labels = (name.bytes.last == Ascii.point ? name.prefix(name.bytes.count &- 1) : name).pieces(at: Ascii.point)
    while let label = labels.next() {
        guard let first = label.bytes.first, first != UInt8(ascii: "-"), label.bytes.count <= 63 else { return false }
    }
    return true
}
