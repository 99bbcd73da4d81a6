// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// A query that begins with E is URL-escaped. A client may escape all of it, or only what it must; browsers escape
// quotes, and leave "%h" as it is. So within quotes a percent sign without two hexadecimal digits after it is one of
// the format's own, and everywhere else it is an error.

/// Writes the text without its escapes into the room, which is at least as long.
func unescape(_ text: Word, into room: UnsafeMutablePointer<UInt8>) throws(Complaint) -> Word {
    var (place, length, quotes) = (0, 0, Quotes())
    while place < text.bytes.count {
        var byte = text.bytes[place]
        place &+= 1
        if byte == UInt8(ascii: "%") {
            if let escaped = readEscape(text, at: place) {
                guard escaped != 0 else { throw complaint(text, at: place) }
                byte = escaped
                place &+= 2
            } else if !quotes.areOpen {
                throw complaint(text, at: place)
            }
        }
        quotes.take(byte)
        room[length] = byte
        length &+= 1
    }
    return Word(UnsafeBufferPointer(start: room, count: length))
}

/// The byte of two hexadecimal digits; nil: they are not there.
private func readEscape(_ text: Word, at place: Int) -> UInt8? {
    guard place &+ 1 < text.bytes.count, let high = nibble(text.bytes[place]),
        let low = nibble(text.bytes[place &+ 1])
    else { return nil }
    return high << 4 | low
}

/// place: after the percent sign.
@inline(never)
private func complaint(_ text: Word, at place: Int) -> Complaint {
    Complaint(BH_ATH_ESYNTAX, text.dropping(place &- 1).prefix(3), "is not an escape of a printable character")
}

/// The value of a hexadecimal digit.
func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit &- UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit &- UInt8(ascii: "a") &+ 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit &- UInt8(ascii: "A") &+ 10
    default: nil
    }
}

/// Whether the bytes that it has taken end within quotes. A backslash within them keeps the next byte from ending them.
struct Quotes {
    private(set) var areOpen = false
    private var isEscaped = false

    mutating func take(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\"") {
            areOpen = !areOpen
        } else {
            isEscaped = areOpen && byte == UInt8(ascii: "\\")
        }
    }
}
