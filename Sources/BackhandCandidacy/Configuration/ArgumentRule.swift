// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// What a built-in function takes behind its name.
enum ArgumentRule {
    case none
    case number(NumberRule)
    /// Used as it is written, and may be missing.
    case text(TextRule)
    /// A condition over what a server announces.
    case condition

    /// A number with up to three decimals, stored in thousandths. Bounds are in units.
    static func decimal(
        _ what: StaticString, above: Int32? = nil, from: Int32 = 0, through: Int32, otherwise: Int32?
    ) -> ArgumentRule {
        .number(NumberRule(what: what, decimals: 3, above: above, from: from, through: through, otherwise: otherwise))
    }

    /// A number without decimals.
    static func whole(_ what: StaticString, from: Int32, through: Int32, otherwise: Int32?) -> ArgumentRule {
        .number(NumberRule(what: what, decimals: 0, above: nil, from: from, through: through, otherwise: otherwise))
    }
}

/// Which texts are allowed.
struct TextRule {
    /// With its article, as the sentence "... is not" goes on.
    let what: StaticString
    let allows: (UnsafePointer<CChar>) -> Bool
}

/// A range of numbers, and what a missing one means.
struct NumberRule {
    /// With its article: "a number of seconds".
    let what: StaticString
    /// Decimals that may be written; the stored number is the written one times ten to this.
    let decimals: Int
    /// The least number is above this, if given; else it is the next.
    let above: Int32?
    let from: Int32
    let through: Int32
    /// As stored; nil: the argument must be given.
    let otherwise: Int32?

    /// As stored: the range, in 64 bits so that no bound overflows.
    private var range: ClosedRange<Int64> {
        let scale: Int64 = decimals == 3 ? 1000 : 1
        let least = above.map { Int64($0) * scale + 1 } ?? Int64(from) * scale
        return least...max(least, Int64(through) * scale)
    }

    /// The number that the text means, as stored; nil if it means none, or one out of range.
    func read(_ text: UnsafePointer<CChar>) -> Int32? {
        guard let number = readNumber(text, decimals: decimals), range.contains(number) else { return nil }
        return Int32(exactly: number)
    }

    /// Says which values are allowed.
    func tell(_ message: inout Message) {
        message.add(what)
        message.add(above == nil ? " from " : " above ")
        message.add(Int(above ?? from))
        message.add(" to ")
        message.add(Int(through))
    }
}

/// Reads digits and, if allowed, a point and decimals: no sign, no exponent, no blanks.
private func readNumber(_ text: UnsafePointer<CChar>, decimals: Int) -> Int64? {
    var number: Int64 = 0
    var digits = 0
    var fraction: Int?
    var next = text
    while next.pointee != 0 {
        let byte = UInt8(bitPattern: next.pointee)
        next += 1
        if byte == UInt8(ascii: "."), fraction == nil, digits > 0, decimals > 0 {
            fraction = 0
            continue
        }
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits < 15, fraction ?? -1 < decimals else { return nil }
        number = number * 10 + Int64(byte - UInt8(ascii: "0"))
        digits += 1
        fraction = fraction.map { $0 + 1 }
    }
    guard digits > 0, fraction != 0 else { return nil }
    for _ in (fraction ?? 0)..<decimals { number *= 10 }
    return number
}
