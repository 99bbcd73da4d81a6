// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Writes JSON, for a caller that hands its text on piece by piece.
///
/// It knows commas and escapes; that keys are unique and brackets close is the caller's business. Its parts are called
/// for each field, so they are not compiled into each call.
public struct JSONPage {
    /// What has not been handed on yet.
    public var text = Message()
    private var needsComma = false

    /// A page without anything.
    public init() {}

    /// Opens an object.
    public mutating func beginObject() { open("{") }
    /// Closes an object.
    public mutating func endObject() { close("}") }
    /// Opens a list.
    public mutating func beginArray() { open("[") }
    /// Closes a list.
    public mutating func endArray() { close("]") }
    /// Ends the line.
    public mutating func newline() { text.add(byte: UInt8(ascii: "\n")) }

    /// A name, whose value follows.
    public mutating func key(_ name: StaticString) { key(name.bytes) }

    @inline(never)
    private mutating func key(_ name: UnsafeBufferPointer<UInt8>) {
        separate()
        text.add(byte: quotation)
        text.add(name)
        text.add(byte: quotation)
        text.add(byte: UInt8(ascii: ":"))
        needsComma = false
    }

    /// A number that is not negative.
    public mutating func field(_ name: StaticString, _ value: UInt64) { field(name.characters, value) }

    /// The same, for a name of C.
    public mutating func field(_ name: UnsafePointer<CChar>, _ value: UInt64) {
        key(Word(name).bytes)
        text.add(value)
        needsComma = true
    }

    /// A number.
    public mutating func field(_ name: StaticString, _ value: Int64) {
        key(name)
        if value < 0 { text.add(byte: UInt8(ascii: "-")) }
        text.add(value.magnitude)
        needsComma = true
    }

    /// true or false.
    public mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        text.add(value ? "true" : "false")
        needsComma = true
    }

    /// A number with three decimals.
    public mutating func field(_ name: StaticString, thousandths value: Int64) {
        field(Word(name.bytes), thousandths: value)
    }

    /// A number with three decimals, whose name another program has chosen.
    @inline(never)
    public mutating func field(_ name: Word, thousandths value: Int64) {
        separate()
        quote(UnsafeRawBufferPointer(name.bytes))
        text.add(byte: UInt8(ascii: ":"))
        if value < 0 { text.add(byte: UInt8(ascii: "-")) }
        text.add(thousandths: value.magnitude)
        needsComma = true
    }

    /// A text of anything.
    public mutating func field(_ name: StaticString, _ value: Word) {
        field(name, bytes: UnsafeRawBufferPointer(value.bytes))
    }

    /// A word of ours, which needs no escapes.
    public mutating func field(_ name: StaticString, name word: StaticString) {
        beginText(name)
        text.add(word)
        endText()
    }

    /// A text of C, up to its NUL or the end of its room.
    @inline(never)
    public mutating func field(_ name: StaticString, bytes characters: UnsafeRawBufferPointer) {
        key(name)
        quote(characters)
        needsComma = true
    }

    @inline(never)
    private mutating func quote(_ characters: UnsafeRawBufferPointer) {
        text.add(byte: quotation)
        for byte in characters {
            guard byte != 0 else { break }
            append(escaped: byte)
        }
        text.add(byte: quotation)
    }

    /// A text of ours, which needs no escapes.
    public mutating func field(_ name: StaticString, plain value: Message) {
        beginText(name)
        text.add(value)
        endText()
    }

    /// Sixteen digits in quotes: programs that keep numbers as Double would lose the last bits.
    public mutating func field(_ name: StaticString, hexadecimal value: UInt64) {
        beginText(name)
        for shift in stride(from: 60, through: 0, by: -4) {
            append(hexadecimalDigit: UInt8(value >> UInt64(shift) & 15))
        }
        endText()
    }

    @inline(never)
    private mutating func beginText(_ name: StaticString) {
        key(name)
        text.add(byte: quotation)
    }

    @inline(never)
    private mutating func endText() {
        text.add(byte: quotation)
        needsComma = true
    }

    private mutating func open(_ bracket: StaticString) {
        separate()
        text.add(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: StaticString) {
        text.add(bracket)
        needsComma = true
    }

    @inline(never)
    private mutating func separate() {
        if needsComma { text.add(byte: UInt8(ascii: ",")) }
    }

    /// RFC 8259, section 7. Names on the wire are ASCII; whatever else got into a row becomes U+FFFD, so that the
    /// text is UTF-8.
    @inline(never)
    private mutating func append(escaped byte: UInt8) {
        switch byte {
        case quotation, UInt8(ascii: "\\"):
            text.add(byte: UInt8(ascii: "\\"))
            text.add(byte: byte)
        case 0x20..<0x7f:
            text.add(byte: byte)
        case 0x80...:
            text.add("\\ufffd")
        default:
            text.add("\\u00")
            append(hexadecimalDigit: byte >> 4)
            append(hexadecimalDigit: byte & 15)
        }
    }

    private mutating func append(hexadecimalDigit digit: UInt8) {
        text.add(byte: digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
}

private let quotation = UInt8(ascii: "\"")
