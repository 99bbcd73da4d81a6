// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Reads a text from its beginning to its end: its numbers and words. Any bytes will do: nothing here traps.
public struct Scanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    /// How many bytes were taken.
    public private(set) var position = 0

    /// Reads from the first byte on.
    public init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    private var next: UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    /// Whether there is nothing more.
    public var isAtEnd: Bool { position >= bytes.count }

    /// Takes the byte if it is next.
    public mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    /// Takes the word if it is next, as a whole: after it must come a blank, a line's end or nothing.
    public mutating func take(word: StaticString) -> Bool {
        let start = position
        if take(prefix: word), isAtEnd || next == Ascii.space || next == Ascii.tab || next == Ascii.newline {
            return true
        }
        position = start
        return false
    }

    /// Takes these bytes if they are next, whatever comes after them.
    public mutating func take(prefix: StaticString) -> Bool {
        let length = prefix.utf8CodeUnitCount
        guard bytes.count - position >= length else { return false }
        for index in 0..<length where bytes[position + index] != prefix.utf8Start[index] {
            return false
        }
        position += length
        return true
    }

    /// Skips blanks within the line.
    public mutating func skipBlanks() {
        while next == Ascii.space || next == Ascii.tab {
            position += 1
        }
    }

    /// Skips to the next blank, or to the line's end.
    public mutating func skipWord() {
        while let byte = next, byte != Ascii.space, byte != Ascii.tab, byte != Ascii.newline {
            position += 1
        }
    }

    /// Skips the line and its end; false if the line has none, so that it may be cut off.
    public mutating func skipLine() -> Bool {
        while let byte = next {
            position += 1
            if byte == Ascii.newline { return true }
        }
        return false
    }

    /// A run of digits as a number; nil if there is no digit. What does not fit is the largest number.
    public mutating func number() -> UInt64? {
        var digits = Digits()
        take(&digits)
        return digits.count > 0 ? digits.value : nil
    }

    /// Digits, and perhaps a point and more digits, of which only the wanted ones count; nil if there is no digit
    /// before the point.
    ///
    /// With no places wanted, a point is not taken.
    public mutating func decimal(places most: Int) -> Decimal? {
        var digits = Digits()
        take(&digits)
        let whole = digits.count
        guard whole > 0 else { return nil }
        guard most > 0, take(Ascii.point) else {
            return Decimal(value: digits.value, count: whole, places: nil, skipped: 0)
        }
        take(&digits, most: whole + most)
        var rest = Digits()
        take(&rest)
        return Decimal(value: digits.value, count: digits.count, places: digits.count - whole, skipped: rest.count)
    }

    /// The same in thousandths; what is after the third place is cut.
    public mutating func thousandths() -> UInt64? {
        decimal(places: 3)?.scaled(to: 3)
    }

    /// Takes digits until there are enough together, or none is next.
    private mutating func take(_ digits: inout Digits, most: Int = .max) {
        while digits.count < most, let byte = next, digits.take(byte) { position += 1 }
    }
}

/// Bytes of ASCII by their names.
public enum Ascii {
    /// A tabulator.
    public static var tab: UInt8 { 9 }
    /// A line feed.
    public static var newline: UInt8 { 10 }
    /// A carriage return.
    public static var carriageReturn: UInt8 { 13 }
    /// A blank.
    public static var space: UInt8 { 32 }
    /// A full stop.
    public static var point: UInt8 { 46 }

    /// The byte as a lower case letter if it is an upper case one.
    public static func lowered(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}
