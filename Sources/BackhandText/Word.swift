// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// A word of the configuration as bytes: Embedded Swift compares no Strings. Borrows the text it was made of.
public struct Word {
    /// Its bytes, without the NUL.
    public let bytes: UnsafeBufferPointer<UInt8>

    /// Any bytes.
    public init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    /// A text of C, up to its NUL.
    public init(_ text: UnsafePointer<CChar>) {
        bytes = UnsafeBufferPointer(
            start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: strlen(text))
    }

    private init(_ slice: Slice<UnsafeBufferPointer<UInt8>>) {
        bytes = UnsafeBufferPointer(rebasing: slice)
    }

    /// What stands before the first separator, and what after it; nil if there is none.
    public func split(at separator: UInt8) -> (head: Word, tail: Word?) {
        guard let index = bytes.firstIndex(of: separator) else { return (self, nil) }
        return (Word(bytes[..<index]), Word(bytes[(index + 1)...]))
    }

    /// Its first bytes, at most this many.
    public func prefix(_ count: Int) -> Word { Word(bytes.prefix(count)) }

    /// What comes after this many bytes.
    public func dropping(_ count: Int) -> Word { Word(bytes.dropFirst(count)) }

    /// What stands before, between and after the separators.
    public func pieces(at separator: UInt8) -> Pieces { Pieces(rest: self, separator: separator) }

    /// Whether the byte is in it.
    public func contains(_ byte: UInt8) -> Bool {
        bytes.contains(byte)
    }

    /// Whether the other word is a part of it.
    public func contains(_ other: Word) -> Bool {
        let last = bytes.count - other.bytes.count
        return last >= 0
            && (0...last).contains { dropping($0).prefix(other.bytes.count).equals(other, ignoringCase: false) }
    }

    /// Whether it is the other word.
    ///
    /// - Parameter ignoringCase: the upper and lower case of ASCII are the same.
    public func equals(_ other: Word, ignoringCase: Bool) -> Bool {
        bytes.count == other.bytes.count
            && bytes.indices.allSatisfy {
                let (left, right) = (bytes[$0], other.bytes[$0])
                return left == right || (ignoringCase && Ascii.lowered(left) == Ascii.lowered(right))
            }
    }

    /// The same with a fixed text.
    public func equals(_ other: StaticString, ignoringCase: Bool = false) -> Bool {
        equals(Word(other.bytes), ignoringCase: ignoringCase)
    }

    /// Whether it looks like a host's name rather than an address gone wrong.
    public var hasLetters: Bool {
        bytes.contains { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") }
    }

    /// The number that it is, digits alone; nil if it is something else, or outside of the range.
    public func number(in range: ClosedRange<UInt64>) -> UInt64? {
        var digits = Digits()
        for byte in bytes {
            guard digits.take(byte) else { return nil }
        }
        return digits.count > 0 && range.contains(digits.value) ? digits.value : nil
    }
}

/// The parts of a word, one after the other.
public struct Pieces: Sequence, IteratorProtocol {
    fileprivate var rest: Word?
    fileprivate let separator: UInt8

    /// The next part; nil after the last one.
    public mutating func next() -> Word? {
        guard let (piece, more) = rest?.split(at: separator) else { return nil }
        rest = more
        return piece
    }
}
