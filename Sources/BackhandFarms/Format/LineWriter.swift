// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// Writes a text into a caller's room, and leaves out what does not fit.
struct LineWriter {
    private let room: UnsafeMutablePointer<CChar>?
    private let most: Int
    /// Bytes that were written.
    private(set) var length = 0

    /// A room of this size; the reserved bytes are for what ends the text.
    init(_ room: UnsafeMutablePointer<CChar>?, _ size: Int, reserved: Int) {
        self.room = room
        most = room == nil ? 0 : max(0, size &- reserved)
    }

    /// Only counts what is written.
    init() {
        (room, most) = (nil, .max)
    }

    /// Whether nothing more fits.
    var isFull: Bool { length >= most }

    /// Adds one byte.
    @inline(never)
    mutating func add(_ byte: UInt8) {
        guard length < most else { return }
        room?[length] = CChar(bitPattern: byte)
        length &+= 1
    }

    /// Adds a fixed text.
    @inline(never)
    mutating func add(_ text: StaticString) {
        for byte in text.bytes { add(byte) }
    }

    /// Adds a byte, or '?' for one that is not printable ASCII.
    mutating func add(printable byte: UInt8) {
        add(isPrintable(byte) ? byte : UInt8(ascii: "?"))
    }

    /// Adds bytes, the same way.
    @inline(never)
    mutating func add(printable word: Word) {
        for byte in word.bytes where !isFull { add(printable: byte) }
    }

    /// Adds a decimal number, with zeros before it if it has fewer digits.
    @inline(never)
    mutating func add(_ number: UInt64, digits: Int = 1) {
        if number > 9 || digits > 1 { add(number / 10, digits: digits &- 1) }
        add(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number % 10))
    }

    /// Adds blanks.
    mutating func pad(_ count: Int) {
        var left = count
        while left > 0 {
            add(Ascii.space)
            left &-= 1
        }
    }

    /// Puts a NUL after the text, for which a byte was reserved.
    func end() {
        if let room { room[length] = 0 }
    }

    /// Ends the text with a line feed, if it has none there, and a NUL; two bytes were reserved for them. Returns its
    /// length.
    func endLine() -> Int {
        guard let room else { return 0 }
        var length = length
        if length == 0 || room[length &- 1] != CChar(bitPattern: Ascii.newline) {
            room[length] = CChar(bitPattern: Ascii.newline)
            length &+= 1
        }
        room[length] = 0
        return length
    }
}

/// Whether the byte is printable ASCII, a blank included.
func isPrintable(_ byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x7f }
