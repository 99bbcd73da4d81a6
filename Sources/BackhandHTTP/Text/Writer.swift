// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand
internal import CSystem

/// Writes a text of C into a caller's room, as snprintf does: what does not fit is counted, not written.
public struct Writer {
    private let room: UnsafeMutablePointer<CChar>?
    private let size: Int
    /// How many bytes the text has, without its NUL, whether they fit or not.
    public private(set) var length = 0

    /// A room of this size; NULL: the text is only counted.
    public init(_ room: UnsafeMutablePointer<CChar>?, _ size: Int) {
        self.room = room
        self.size = room == nil ? 0 : size
    }

    /// Adds bytes.
    @inline(never)
    public mutating func add(_ piece: Piece) {
        let end = length &+ piece.count
        if let room, end < size { memcpy(room + length, piece.start, piece.count) }
        length = end
    }

    /// Adds a fixed text of two bytes or more.
    @inline(never)
    public mutating func add(_ text: StaticString) { add(Piece(text)) }

    /// Adds one byte.
    @inline(never)
    public mutating func add(_ byte: UInt8) {
        if let room, length &+ 1 < size { room[length] = CChar(bitPattern: byte) }
        length &+= 1
    }

    /// Adds a decimal number, with zeros before it if it has fewer digits.
    @inline(never)
    public mutating func add(_ number: UInt64, digits: Int = 1) {
        if number > 9 || digits > 1 { add(number / 10, digits: digits &- 1) }
        add(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number % 10))
    }

    /// Ends the text with its NUL; returns its length. Only a text shorter than the room is whole.
    public func end() -> Int {
        if let room, length < size { room[length] = 0 }
        return length
    }
}
