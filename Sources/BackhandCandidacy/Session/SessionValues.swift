// Licensed under the Apache License, Version 2.0; see LICENSE.

/// How many session ids of one text are looked up: a browser sends one for each path it was set for. Each look-up reads
/// the whole table, and a stranger may send a thousand.
private let mostLookups = 8

/// The values in a text, a Cookie header or a query, that an identifier stands in front of, one after the other.
///
/// The identifier must begin a cookie or a parameter. These end at ';' and at the separator.
struct SessionValues {
    private var next: UnsafePointer<UInt8>
    private let separator: UInt8
    /// Ends at its NUL or at a ';'.
    private let identifier: UnsafePointer<UInt8>
    /// Whether a '=' must follow the identifier.
    private let isName: Bool
    private var left = mostLookups

    init(
        _ text: UnsafePointer<CChar>, separatedBy separator: UInt8, _ identifier: UnsafePointer<CChar>, isName: Bool
    ) {
        next = UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
        self.identifier = UnsafeRawPointer(identifier).assumingMemoryBound(to: UInt8.self)
        (self.separator, self.isName) = (separator, isName)
    }

    /// Where the next one begins, after a quote if there is one; nil: there is none, or were too many.
    @inline(never)
    mutating func nextValue() -> UnsafePointer<UInt8>? {
        while left > 0, next.pointee != 0 {
            while isBlank(next.pointee) { next += 1 }
            let value = skipIdentifier()
            while next.pointee != 0, next.pointee != UInt8(ascii: ";"), next.pointee != separator { next += 1 }
            if next.pointee != 0 { next += 1 }
            guard let value else { continue }
            left &-= 1
            return value
        }
        return nil
    }

    private func skipIdentifier() -> UnsafePointer<UInt8>? {
        var (text, identifier) = (next, identifier)
        while identifier.pointee != 0, identifier.pointee != UInt8(ascii: ";") {
            guard text.pointee == identifier.pointee else { return nil }
            text += 1
            identifier += 1
        }
        if isName {
            guard text.pointee == UInt8(ascii: "=") else { return nil }
            text += 1
        }
        return text + (text.pointee == UInt8(ascii: "\"") ? 1 : 0)
    }
}

private func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
