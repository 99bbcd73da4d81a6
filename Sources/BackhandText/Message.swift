// Licensed under the Apache License, Version 2.0; see LICENSE.

/// A text, put together from its pieces: its bytes, because the module is linked without String, whose operators and
/// interpolation make ten times as much code of it.
public struct Message: Sendable {
    /// What it has so far.
    public private(set) var bytes: [UInt8] = []

    /// A message that begins so.
    public init(_ text: StaticString = "") { add(text) }

    /// A message that begins with the bytes of the word.
    public init(_ word: Word) { add(word.bytes) }

    /// A message that begins with these bytes.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// A fixed text.
    @inline(never)
    public mutating func add(_ text: StaticString) {
        add(text.bytes)
    }

    /// These bytes as they are.
    @inline(never)
    public mutating func add(_ text: UnsafeBufferPointer<UInt8>) {
        for byte in text { bytes.append(byte) }
    }

    /// Another message.
    @inline(never)
    public mutating func add(_ other: Message) { other.bytes.withUnsafeBufferPointer { add($0) } }

    /// One byte as it is.
    public mutating func add(byte: UInt8) { bytes.append(byte) }

    /// Makes room for this many bytes without growing.
    public mutating func reserve(_ size: Int) { bytes.reserveCapacity(size) }

    /// Takes all of it away, and keeps the room.
    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// A word of the configuration in quotes: printable ASCII, and at most this many bytes, so that what follows is not
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

    /// What others chose, for a page: up to its NUL or the end of its room, and never a tag, nor the end of an
    /// attribute's value.
    @inline(never)
    public mutating func add(escaping characters: UnsafeRawBufferPointer) {
        for byte in characters {
            switch byte {
            case 0: return
            case UInt8(ascii: "<"): add("&lt;")
            case UInt8(ascii: ">"): add("&gt;")
            case UInt8(ascii: "&"): add("&amp;")
            case UInt8(ascii: "\""): add("&quot;")
            default: add(byte: byte)
            }
        }
    }

    /// A number that is not negative.
    public mutating func add(_ number: Int) { add(UInt64(clamping: number)) }

    /// A number in decimal digits.
    @inline(never)
    public mutating func add(_ number: UInt64) {
        if number > 9 { add(number / 10) }
        bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number % 10))
    }

    /// A number with three decimals.
    @inline(never)
    public mutating func add(thousandths number: UInt64) {
        add(number / 1000)
        add(".")
        add(number / 100 % 10)
        add(number / 10 % 10)
        add(number % 10)
    }

    /// The text as an error.
    public var error: ConfigurationError { ConfigurationError(self) }
}

#if !hasFeature(Embedded)
extension Message {
    /// The text for tools and tests; bytes that are not UTF-8 are replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}
#endif

extension ConfigurationError {
    /// The word in quotes, the reason, and the part of the word that is wrong, in quotes too.
    @inline(never)
    public init(_ word: Word, _ reason: StaticString, _ part: Word? = nil, _ rest: StaticString = "") {
        var message = Message()
        message.quote(word)
        message.add(reason)
        if let part { message.quote(part) }
        message.add(rest)
        self = message.error
    }
}

extension StaticString {
    /// Its bytes, without the NUL.
    public var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount) }

    /// As a text of C: the compiler ends it with a NUL.
    public var characters: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }

    /// The text of C with this place, if there are several with a NUL between them; nil past the last.
    ///
    /// A list of this kind takes a third of the room of a switch.
    @inline(never)
    public func text(at place: UInt32) -> UnsafePointer<CChar>? {
        var (start, left) = (0, place)
        for index in 0..<utf8CodeUnitCount where left > 0 && utf8Start[index] == 0 {
            start = index + 1
            left -= 1
        }
        return left == 0 ? characters + start : nil
    }

    /// Whether a text of C has the same bytes.
    public func equals(_ text: UnsafePointer<CChar>) -> Bool {
        for index in 0..<utf8CodeUnitCount where UInt8(bitPattern: text[index]) != utf8Start[index] { return false }
        return text[utf8CodeUnitCount] == 0
    }
}

extension ArraySlice where Element == UInt8 {
    /// Whether the text has the same bytes. Those of a String would bring the standard library's slow paths along.
    public func equals(_ text: StaticString) -> Bool { elementsEqual(text.bytes) }
}
