// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Writes JSON into a page that is handed on piece by piece.
///
/// It knows commas and escapes; that keys are unique and brackets close is the caller's business. Its parts are called
/// for each field, so they are not compiled into each call.
struct JSONPage {
    /// Above this many bytes the page is handed on: one object of the table, up to 1.3 kB, fits behind it without
    /// growing the page.
    private static let full = 2560
    private var bytes: [UInt8] = []
    private var needsComma = false

    init() {
        bytes.reserveCapacity(4096)
    }

    /// Hands the text on if there is much of it, or if nothing follows; false if the sink wants no more.
    mutating func drain(to sink: TextSink, last: Bool = false) -> Bool {
        guard bytes.count > Self.full || last else { return true }
        let taken = bytes.withUnsafeBufferPointer { sink($0) }
        bytes.removeAll(keepingCapacity: true)
        return taken
    }

    mutating func beginObject() { open("{") }
    mutating func endObject() { close("}") }
    mutating func beginArray() { open("[") }
    mutating func endArray() { close("]") }
    mutating func newline() { bytes.append(UInt8(ascii: "\n")) }

    @inline(never)
    mutating func key(_ name: StaticString) {
        separate()
        bytes.append(quote)
        append(name)
        bytes.append(quote)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func field(_ name: StaticString, _ value: UInt64) {
        key(name)
        append(digits: value)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ value: Int64) {
        key(name)
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        append(digits: value.magnitude)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        append(value ? "true" : "false")
        needsComma = true
    }

    /// A number with three decimals.
    mutating func field(_ name: StaticString, thousandths value: Int64) {
        key(name)
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        append(digits: value.magnitude / 1000)
        bytes.append(UInt8(ascii: "."))
        let rest = value.magnitude % 1000
        append(digits: rest / 100)
        append(digits: rest / 10 % 10)
        append(digits: rest % 10)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ value: String) {
        key(name)
        bytes.append(quote)
        var value = value
        value.withUTF8 { for byte in $0 { append(escaped: byte) } }
        bytes.append(quote)
        needsComma = true
    }

    /// A word of ours, which needs no escapes.
    mutating func field(_ name: StaticString, name word: StaticString) {
        key(name)
        bytes.append(quote)
        append(word)
        bytes.append(quote)
        needsComma = true
    }

    /// A text of C, up to its NUL or the end of its room.
    @inline(never)
    mutating func field(_ name: StaticString, bytes text: UnsafeRawBufferPointer) {
        key(name)
        bytes.append(quote)
        for byte in text {
            guard byte != 0 else { break }
            append(escaped: byte)
        }
        bytes.append(quote)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ address: bh_address_t) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(BH_ADDRESS_SIZE)) { text in
            let length = formatAddress(address, into: text)
            field(name, bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[..<length]))
        }
    }

    /// Sixteen digits in quotes: programs that keep numbers as Double would lose the last bits.
    mutating func field(_ name: StaticString, hexadecimal value: UInt64) {
        key(name)
        bytes.append(quote)
        for shift in stride(from: 60, through: 0, by: -4) {
            append(hexadecimalDigit: UInt8(value >> UInt64(shift) & 15))
        }
        bytes.append(quote)
        needsComma = true
    }

    private mutating func open(_ bracket: StaticString) {
        separate()
        append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: StaticString) {
        append(bracket)
        needsComma = true
    }

    @inline(never)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    @inline(never)
    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(never)
    private mutating func append(digits value: UInt64) {
        var divisor = UInt64(1)
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

    /// RFC 8259, section 7. Names on the wire are ASCII; whatever else got into a row becomes U+FFFD, so that the
    /// text is UTF-8.
    @inline(never)
    private mutating func append(escaped byte: UInt8) {
        switch byte {
        case quote, UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        case 0x20..<0x7f:
            bytes.append(byte)
        case 0x80...:
            append("\\ufffd")
        default:
            append("\\u00")
            append(hexadecimalDigit: byte >> 4)
            append(hexadecimalDigit: byte & 15)
        }
    }

    private mutating func append(hexadecimalDigit digit: UInt8) {
        bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
}

private let quote = UInt8(ascii: "\"")
