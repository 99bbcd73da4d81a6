// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// A word of the configuration as bytes: Embedded Swift compares no Strings. Borrows the text it was made of.
public struct Word {
    /// Its bytes, without the NUL.
    public let bytes: UnsafeBufferPointer<UInt8>

    /// A text of C, up to its NUL.
    public init(_ text: UnsafePointer<CChar>) {
        bytes = UnsafeBufferPointer(
            start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: strlen(text))
    }

    private init(_ slice: Slice<UnsafeBufferPointer<UInt8>>) {
        bytes = UnsafeBufferPointer(rebasing: slice)
    }

    /// What stands before the first separator, and what behind it; nil if there is none.
    public func split(at separator: UInt8) -> (head: Word, tail: Word?) {
        guard let index = bytes.firstIndex(of: separator) else { return (self, nil) }
        return (Word(bytes[..<index]), Word(bytes[(index + 1)...]))
    }

    /// Whether the byte is in it.
    public func contains(_ byte: UInt8) -> Bool {
        bytes.contains(byte)
    }

    /// Whether it looks like a host's name rather than an address gone wrong.
    public var hasLetters: Bool {
        bytes.contains { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") }
    }

    /// A decimal number without sign, at most the limit; nil for anything else.
    public func number(upTo limit: UInt32) -> UInt32? {
        var value = UInt64(0)
        for byte in bytes {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
            if value > UInt64(limit) { return nil }
        }
        return bytes.isEmpty ? nil : UInt32(value)
    }

    /// Appends it in quotes: cut after 64 bytes, so that room for the reason is left, and safe for a log.
    fileprivate func quote(into text: inout [UInt8]) {
        let limit = 64
        text.append(UInt8(ascii: "\""))
        for byte in bytes.prefix(limit) {
            text.append(byte >= 0x20 && byte < 0x7f ? byte : UInt8(ascii: "?"))
        }
        if bytes.count > limit { text += [UInt8](repeating: UInt8(ascii: "."), count: 3) }
        text.append(UInt8(ascii: "\""))
    }
}

extension ConfigurationError {
    /// The word in quotes, the reason, and the part of the word that is wrong, in quotes too.
    ///
    /// Not inlined, and no interpolation: each use of those costs half a kilobyte of the module.
    @inline(never)
    public init(_ word: Word, _ reason: StaticString, _ part: Word? = nil, _ rest: StaticString = "") {
        var text: [UInt8] = []
        word.quote(into: &text)
        text += UnsafeBufferPointer(start: reason.utf8Start, count: reason.utf8CodeUnitCount)
        part?.quote(into: &text)
        text += UnsafeBufferPointer(start: rest.utf8Start, count: rest.utf8CodeUnitCount)
        self.init(String(decoding: text, as: UTF8.self))
    }
}
