// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand
internal import BackhandServerStats
internal import CSystem

/// A part of a text that a stranger sent. Borrowed from that text; no NUL ends it.
public struct Piece {
    /// Its first byte.
    public private(set) var start: UnsafePointer<UInt8>
    /// How many bytes it has.
    public private(set) var count: Int

    /// Bytes of memory, as many as count says.
    public init(start: UnsafePointer<UInt8>, count: Int) {
        (self.start, self.count) = (start, count)
    }

    /// A text of C, up to its NUL.
    public init(_ text: UnsafePointer<CChar>) {
        self.init(start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: strlen(text))
    }

    /// A fixed text of two bytes or more.
    public init(_ text: StaticString) {
        self.init(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    /// Where it begins, as C sees it.
    public var characters: UnsafePointer<CChar> { UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self) }

    var isEmpty: Bool { count == 0 }

    /// The byte after the last one.
    var end: UnsafePointer<UInt8> { start + count }

    /// The first bytes; the caller has seen that there are enough.
    func prefix(_ length: Int) -> Piece { Piece(start: start, count: length) }

    /// What is left without the first bytes; the caller has seen that there are enough.
    func dropping(_ length: Int) -> Piece { Piece(start: start + length, count: count &- length) }

    /// Where the byte stands first; nil if it is not in the piece. Wraps memchr.
    @inline(never)
    func place(of byte: UInt8) -> Int? {
        guard let found = memchr(start, Int32(byte), count) else { return nil }
        return UnsafeRawPointer(start).distance(to: found)
    }

    /// What stands before the byte; everything if it is not in the piece.
    @inline(never)
    public func upTo(_ byte: UInt8) -> Piece { prefix(place(of: byte) ?? count) }

    /// What stands before the first of several bytes; everything if none of them is in the piece.
    @inline(never)
    func upTo(anyOf bytes: StaticString) -> Piece {
        for place in 0..<count where memchr(bytes.utf8Start, Int32(start[place]), bytes.utf8CodeUnitCount) != nil {
            return prefix(place)
        }
        return self
    }

    /// Removes the text from the beginning; false if something else stands there.
    @inline(never)
    mutating func take(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count >= length, memcmp(start, text.utf8Start, length) == 0 else { return false }
        self = dropping(length)
        return true
    }

    /// The same, but for the case of letters.
    @inline(never)
    mutating func take(anyCase text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count >= length, prefix(length).equals(Piece(text)) else { return false }
        self = dropping(length)
        return true
    }

    /// Removes blanks (space and tab), and this byte too, from the beginning.
    @inline(never)
    mutating func skipBlanks(and byte: UInt8 = UInt8(ascii: " ")) {
        while count > 0, isBlank(start.pointee) || start.pointee == byte { self = dropping(1) }
    }

    /// Removes what C calls white space from the beginning.
    @inline(never)
    mutating func skipSpace() {
        while count > 0, isSpace(start.pointee) { self = dropping(1) }
    }

    /// Without the blanks at its end.
    @inline(never)
    func trimmed() -> Piece {
        var length = count
        while length > 0, isBlank(start[length &- 1]) { length &-= 1 }
        return prefix(length)
    }

    /// Whether both are the same, but for the case of ASCII letters.
    @inline(never)
    public func equals(_ other: Piece) -> Bool {
        guard count == other.count else { return false }
        for place in 0..<count where lowered(start[place]) != lowered(other.start[place]) { return false }
        return true
    }

    /// Whether it ends so, with something before, but for the case of letters.
    public func ends(with text: StaticString) -> Bool {
        let before = count &- text.utf8CodeUnitCount
        return before > 0 && dropping(before).equals(Piece(text))
    }

    /// Whether it is written as an IPv6 address of a URL.
    public var isBracketed: Bool { count > 0 && start.pointee == UInt8(ascii: "[") }

    /// What is between the brackets.
    public var unbracketed: Piece { dropping(1).upTo(UInt8(ascii: "]")) }

    /// Whether both have the same bytes.
    func isSame(as other: Piece) -> Bool { count == other.count && memcmp(start, other.start, count) == 0 }

    /// The address that it is, without brackets; nil if it is none. It is copied: what reads it wants it to end with a
    /// NUL.
    @inline(never)
    public var address: bh_address_t? {
        guard count < Int(BH_ADDRESS_SIZE) else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(BH_ADDRESS_SIZE)) { copy in
            guard let room = copy.baseAddress else { return nil }
            memcpy(room, start, count)
            room[count] = 0
            return parseAddress(room)
        }
    }
}

extension Piece {
    /// As it crosses the border.
    public var crossing: bh_piece_t { bh_piece_t(start: characters, length: count) }
}

func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

/// What C calls white space: a blank, or one of tab, line feed, vertical tab, form feed, carriage return.
func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte >= 9 && byte <= 13 }

func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

private func lowered(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}
