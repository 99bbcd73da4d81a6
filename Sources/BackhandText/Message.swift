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

    /// A text of the configuration, quoted: printable ASCII, at most so many bytes, so that what follows is not cut.
    @inline(never)
    public mutating func quote(_ text: UnsafePointer<CChar>, most: Int = 40) {
        bytes.append(UInt8(ascii: "'"))
        var length = 0
        while text[length] != 0, length < most {
            let byte = UInt8(bitPattern: text[length])
            bytes.append(byte >= 0x20 && byte < 0x7f ? byte : UInt8(ascii: "?"))
            length += 1
        }
        if text[length] != 0 { add("...") }
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

extension StaticString {
    /// As a text of C: the compiler ends it with a NUL.
    public var characters: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }

    /// Whether a text of C has the same bytes.
    public func equals(_ text: UnsafePointer<CChar>) -> Bool {
        for index in 0..<utf8CodeUnitCount where UInt8(bitPattern: text[index]) != utf8Start[index] { return false }
        return text[utf8CodeUnitCount] == 0
    }
}
