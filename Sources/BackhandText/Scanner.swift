// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Reads numbers and words of text files of the kernel. Any bytes will do: nothing here traps.
public struct Scanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

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

    /// Takes the word if it is next, as a whole: behind it must come a blank, a line's end or nothing.
    public mutating func take(word: StaticString) -> Bool {
        let start = position
        if take(prefix: word), isAtEnd || next == Ascii.space || next == Ascii.tab || next == Ascii.newline { return true }
        position = start
        return false
    }

    /// Takes these bytes if they are next, whatever comes behind them.
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

    /// Skips to behind the line's end; false if the line has none, so that it may be cut off.
    public mutating func skipLine() -> Bool {
        while let byte = next {
            position += 1
            if byte == Ascii.newline { return true }
        }
        return false
    }

    /// A run of digits as a number; nil if there is no digit. What does not fit becomes the largest number.
    public mutating func number() -> UInt64? {
        guard let first = next, Ascii.isDigit(first) else { return nil }
        var value: UInt64 = 0
        while let byte = next, Ascii.isDigit(byte) {
            value = value.saturatingTimes(10).saturatingPlus(UInt64(byte &- Ascii.zero))
            position += 1
        }
        return value
    }

    /// Digits, and perhaps a point and more digits, in thousandths; what is behind the third place is cut.
    public mutating func thousandths() -> UInt64? {
        guard let whole = number() else { return nil }
        var value = whole.saturatingTimes(1000)
        guard take(Ascii.point) else { return value }
        var weight: UInt64 = 100
        while let byte = next, Ascii.isDigit(byte) {
            value = value.saturatingPlus(UInt64(byte &- Ascii.zero) &* weight)
            weight /= 10
            position += 1
        }
        return value
    }
}

/// Bytes of ASCII by their names.
public enum Ascii {
    /// A tabulator.
    public static var tab: UInt8 { 9 }
    /// A line feed.
    public static var newline: UInt8 { 10 }
    /// A blank.
    public static var space: UInt8 { 32 }
    /// A full stop.
    public static var point: UInt8 { 46 }
    /// The digit 0; the others follow it.
    public static var zero: UInt8 { 48 }
    /// Whether it is one of the ten digits.
    public static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
}

extension UInt64 {
    /// The sum, or the largest number where it does not fit.
    public func saturatingPlus(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// The product, or the largest number where it does not fit.
    public func saturatingTimes(_ other: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }

    /// The difference, or 0 where it would be negative.
    public func saturatingMinus(_ other: UInt64) -> UInt64 {
        self > other ? self &- other : 0
    }
}
