// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// Writes JSON into a page that is handed on piece by piece.
///
/// It knows commas and escapes; that keys are unique and brackets close is the caller's business. Its parts are called
/// for each field, so they are not compiled into each call.
struct JSONPage {
    private var page = TextPage()
    private var needsComma = false

    mutating func drain(to sink: TextSink, last: Bool = false) -> Bool { page.drain(to: sink, last: last) }

    mutating func beginObject() { open("{") }
    mutating func endObject() { close("}") }
    mutating func beginArray() { open("[") }
    mutating func endArray() { close("]") }
    mutating func newline() { page.text.add(byte: UInt8(ascii: "\n")) }

    mutating func key(_ name: StaticString) { key(name.bytes) }

    @inline(never)
    mutating func key(_ name: UnsafeBufferPointer<UInt8>) {
        separate()
        page.text.add(byte: quote)
        page.text.add(name)
        page.text.add(byte: quote)
        page.text.add(byte: UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func field(_ name: StaticString, _ value: UInt64) { field(name.characters, value) }

    mutating func field(_ name: UnsafePointer<CChar>, _ value: UInt64) {
        key(Word(name).bytes)
        page.text.add(value)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ value: Int64) {
        key(name)
        if value < 0 { page.text.add(byte: UInt8(ascii: "-")) }
        page.text.add(value.magnitude)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        page.text.add(value ? "true" : "false")
        needsComma = true
    }

    /// A number with three decimals.
    mutating func field(_ name: StaticString, thousandths value: Int64) {
        key(name)
        if value < 0 { page.text.add(byte: UInt8(ascii: "-")) }
        page.text.add(value.magnitude / 1000)
        page.text.add(byte: UInt8(ascii: "."))
        let rest = value.magnitude % 1000
        page.text.add(rest / 100)
        page.text.add(rest / 10 % 10)
        page.text.add(rest % 10)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ value: Word) {
        field(name, bytes: UnsafeRawBufferPointer(value.bytes))
    }

    /// A word of ours, which needs no escapes.
    mutating func field(_ name: StaticString, name word: StaticString) {
        beginText(name)
        page.text.add(word)
        endText()
    }

    mutating func field(_ name: StaticString, _ reason: Reason, of facts: bh_facts_t) {
        beginText(name)
        page.text.add(reason, of: facts)
        endText()
    }

    /// A text of C, up to its NUL or the end of its room.
    @inline(never)
    mutating func field(_ name: StaticString, bytes text: UnsafeRawBufferPointer) {
        beginText(name)
        for byte in text {
            guard byte != 0 else { break }
            append(escaped: byte)
        }
        endText()
    }

    mutating func field(_ name: StaticString, _ address: bh_address_t) {
        beginText(name)
        page.text.add(address)
        endText()
    }

    /// Sixteen digits in quotes: programs that keep numbers as Double would lose the last bits.
    mutating func field(_ name: StaticString, hexadecimal value: UInt64) {
        beginText(name)
        for shift in stride(from: 60, through: 0, by: -4) {
            append(hexadecimalDigit: UInt8(value >> UInt64(shift) & 15))
        }
        endText()
    }

    @inline(never)
    private mutating func beginText(_ name: StaticString) {
        key(name)
        page.text.add(byte: quote)
    }

    @inline(never)
    private mutating func endText() {
        page.text.add(byte: quote)
        needsComma = true
    }

    private mutating func open(_ bracket: StaticString) {
        separate()
        page.text.add(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: StaticString) {
        page.text.add(bracket)
        needsComma = true
    }

    @inline(never)
    private mutating func separate() {
        if needsComma { page.text.add(byte: UInt8(ascii: ",")) }
    }

    /// RFC 8259, section 7. Names on the wire are ASCII; whatever else got into a row becomes U+FFFD, so that the
    /// text is UTF-8.
    @inline(never)
    private mutating func append(escaped byte: UInt8) {
        switch byte {
        case quote, UInt8(ascii: "\\"):
            page.text.add(byte: UInt8(ascii: "\\"))
            page.text.add(byte: byte)
        case 0x20..<0x7f:
            page.text.add(byte: byte)
        case 0x80...:
            page.text.add("\\ufffd")
        default:
            page.text.add("\\u00")
            append(hexadecimalDigit: byte >> 4)
            append(hexadecimalDigit: byte & 15)
        }
    }

    private mutating func append(hexadecimalDigit digit: UInt8) {
        page.text.add(byte: digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
}

private let quote = UInt8(ascii: "\"")
