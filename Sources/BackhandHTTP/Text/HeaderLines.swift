// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// The lines of a header, as the caller has them.
typealias Lines = UnsafeBufferPointer<bh_field_t>

extension Lines {
    init(_ fields: bh_fields_t) {
        self.init(start: fields.first, count: fields.first == nil ? 0 : fields.count)
    }

    /// Whether there is a line with the name of this one.
    func names(_ line: bh_field_t) -> Bool {
        for each in self where each.isNamed(as: line) { return true }
        return false
    }

    /// Whether there is a line that says the same.
    func has(_ line: bh_field_t, _ kind: HeaderKind) -> Bool {
        for each in self where each.isNamed(as: line) {
            if Piece(each.value).isSame(as: Piece(line.value)) { return true }
            if kind == .cookies, isSameCookie(each.value, line.value) { return true }
        }
        return false
    }
}

extension bh_field_t {
    /// Whether both have one name. The same names have the same hash.
    func isNamed(as other: bh_field_t) -> Bool { hash == other.hash && Piece(name).equals(Piece(other.name)) }
}

extension bh_header_t {
    func add(_ line: bh_field_t) { add(line, line.value) }

    func add(_ line: bh_field_t, _ value: UnsafePointer<CChar>) { add(baton, line.name, value) }

    /// A text in the caller's memory.
    @inline(never)
    func text(_ write: (inout Writer) -> Void) -> UnsafePointer<CChar> {
        var counter = Writer(nil, 0)
        write(&counter)
        let size = counter.end() &+ 1
        let memory = room(baton, size)
        var writer = Writer(memory, size)
        write(&writer)
        _ = writer.end()
        return UnsafePointer(memory)
    }
}
