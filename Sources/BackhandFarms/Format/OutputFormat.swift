// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// A part of an output format.
enum FormatPart {
    /// A byte that is written as it is.
    case byte(UInt8)
    /// A value of the row.
    case field(FormatField)
}

/// "%h", "%-20h", "%6c", "%{threads}s".
struct FormatField {
    var row = bh_ath_row(0)
    /// Of a statistic; nil for other codes.
    var name: Word?
    /// The least number of bytes; 0: as many as the value has.
    var width = 0
    var isLeft = false
}

/// Reads an output format, part after part.
struct OutputFormat {
    private let text: Word
    private var place = 0

    /// A format without its quotes.
    init(_ text: Word) {
        self.text = text
    }

    private var current: UInt8? { place < text.bytes.count ? text.bytes[place] : nil }

    private mutating func take(_ byte: StaticString) -> Bool {
        guard current == byte.utf8Start[0] else { return false }
        place &+= 1
        return true
    }

    /// The next part; nil after the last one.
    mutating func next() throws(Complaint) -> FormatPart? {
        guard let byte = current else { return nil }
        let start = place
        place &+= 1
        switch byte {
        case UInt8(ascii: "%"):
            if take("%") { return .byte(byte) }
            return .field(try field(from: start))
        case UInt8(ascii: "\\"): return .byte(try escape(from: start))
        case UInt8(ascii: "\""): throw complaint(from: start, "is the end of the format: write \\\" for a quote in it")
        default:
            guard isPrintable(byte) else { throw complaint(from: start, "is not a printable character") }
            return .byte(byte)
        }
    }

    private mutating func escape(from start: Int) throws(Complaint) -> UInt8 {
        let byte = current
        place &+= 1
        switch byte {
        case UInt8(ascii: "n"): return Ascii.newline
        case UInt8(ascii: "t"): return Ascii.tab
        case UInt8(ascii: "\\"), UInt8(ascii: "\""): return byte ?? 0
        default: throw complaint(from: start, "is not one of the escapes \\n, \\t, \\\\ and \\\"")
        }
    }

    /// place: after the percent sign.
    private mutating func field(from start: Int) throws(Complaint) -> FormatField {
        var field = FormatField()
        field.isLeft = take("-")
        field.width = try width(from: start)
        guard !field.isLeft || field.width > 0 else { throw complaint(from: start, "lacks the width after its minus") }
        if take("{") { field.name = try name(from: start) }
        guard let letter = current else { throw complaint(from: start, "ends before its code") }
        field.row = bh_ath_row(CChar(bitPattern: letter))
        place &+= 1
        guard field.row.code != BH_ATH_NO_CODE else { throw complaint(from: start, "has no code that exists") }
        guard field.row.type.rawValue < BH_ATH_FORMAT.rawValue else {
            throw complaint(from: start, "is a code for queries only")
        }
        guard (field.row.type == BH_ATH_STATISTIC) == (field.name != nil) else {
            throw complaint(from: start, "is wrong: s has a name, as in %{threads}s, and no other code has one")
        }
        return field
    }

    /// 0: there is none.
    private mutating func width(from start: Int) throws(Complaint) -> Int {
        var digits = Digits()
        let first = current
        while let byte = current, digits.take(byte) { place &+= 1 }
        guard digits.count == 0 || (digits.value <= UInt64(BH_ATH_WIDTH_MOST) && first != UInt8(ascii: "0")) else {
            throw complaint(from: start, "has a width that is not one of 1 to 99")
        }
        return Int(truncatingIfNeeded: digits.value)
    }

    /// place: after the opening brace.
    private mutating func name(from start: Int) throws(Complaint) -> Word {
        let rest = text.dropping(place)
        let (name, tail) = rest.split(at: UInt8(ascii: "}"))
        guard tail != nil, name.isName else {
            place &+= min(name.bytes.count, 64)
            throw complaint(from: start, "has braces without the name of a statistic")
        }
        place &+= name.bytes.count &+ 1
        return name
    }

    /// About what stands between there and here.
    @inline(never)
    private func complaint(from start: Int, _ reason: StaticString) -> Complaint {
        Complaint(
            BH_ATH_EFORMAT, code: UInt8(ascii: "f"), text.dropping(start).prefix(place &- start), reason)
    }
}

/// Whether the format can be used.
func checkFormat(_ text: Word) throws(Complaint) {
    guard !text.bytes.isEmpty else { throw Complaint(BH_ATH_EFORMAT, code: UInt8(ascii: "f"), text, "it is empty") }
    var format = OutputFormat(text)
    while try format.next() != nil {}
}

/// The format in the value of f=, without its quotes.
func readQuotedFormat(_ value: Word) throws(Complaint) -> Word {
    var quotes = Quotes()
    var length = 0
    for byte in value.bytes {
        quotes.take(byte)
        length &+= 1
        if !quotes.areOpen { break }
    }
    guard value.bytes.count > 1, length == value.bytes.count, !quotes.areOpen else {
        throw Complaint(
            BH_ATH_EFORMAT, code: UInt8(ascii: "f"), value,
            "a format in quotes is wanted; if they are escaped, E begins the query")
    }
    let format = value.dropping(1).prefix(length &- 2)
    try checkFormat(format)
    return format
}
