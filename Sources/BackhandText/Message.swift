// Licensed under the Apache License, Version 2.0; see LICENSE.

/// The text of an error, put together from its pieces: interpolation makes ten times as much code of it.
public struct Message {
    private var bytes: [UInt8] = []

    /// A message that begins so.
    public init(_ text: StaticString) { add(text) }

    /// A fixed text.
    @inline(never)
    public mutating func add(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { bytes.append(text.utf8Start[index]) }
    }

    /// A word of the configuration in quotes: printable ASCII, and at most so many bytes, so that what follows is not
    /// cut.
    @inline(never)
    public mutating func quote(_ word: Word, most: Int = 64) {
        bytes.append(UInt8(ascii: "'"))
        for byte in word.bytes.prefix(most) {
            bytes.append(byte >= 0x20 && byte < 0x7f ? byte : UInt8(ascii: "?"))
        }
        if word.bytes.count > most { add("...") }
        bytes.append(UInt8(ascii: "'"))
    }

    /// A number that is not negative.
    @inline(never)
    public mutating func add(_ number: Int) {
        if number > 9 { add(number / 10) }
        bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number % 10))
    }

    /// The text as an error.
    public var error: ConfigurationError { ConfigurationError(String(decoding: bytes, as: UTF8.self)) }
}

extension ConfigurationError {
    /// The word in quotes, the reason, and the part of the word that is wrong, in quotes too.
    @inline(never)
    public init(_ word: Word, _ reason: StaticString, _ part: Word? = nil, _ rest: StaticString = "") {
        var message = Message("")
        message.quote(word)
        message.add(reason)
        if let part { message.quote(part) }
        message.add(rest)
        self = message.error
    }
}

extension StaticString {
    /// As a text of C: the compiler ends it with a NUL.
    public var characters: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }

    /// Whether a text of C has the same bytes.
    public func equals(_ text: UnsafePointer<CChar>) -> Bool {
        for index in 0..<utf8CodeUnitCount where UInt8(bitPattern: text[index]) != utf8Start[index] { return false }
        return text[utf8CodeUnitCount] == 0
    }
}
