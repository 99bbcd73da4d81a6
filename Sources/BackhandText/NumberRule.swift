// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Which numbers a directive or a function takes: a range, and what they count.
public struct NumberRule {
    /// With its article: "a number of seconds".
    public let what: StaticString
    /// Decimals that may be written: 3 or none. The stored number is the written one times ten to this.
    public let decimals: Int
    /// The least number is above this, if given; else it is the next.
    public let above: UInt32?
    /// The least number.
    public let from: UInt32
    /// The largest number.
    public let through: UInt32

    /// A range in units of what is written. Inlined: a decision makes the rules of its functions, and needs none of
    /// them.
    @inlinable @inline(__always)
    public init(what: StaticString, decimals: Int = 0, above: UInt32? = nil, from: UInt32, through: UInt32) {
        self.what = what
        self.decimals = decimals
        self.above = above
        self.from = from
        self.through = through
    }

    /// As stored: the range, in 64 bits so that no bound overflows.
    private var range: ClosedRange<UInt64> {
        let scale: UInt64 = decimals == 3 ? 1000 : 1
        let least = above.map { UInt64($0) * scale + 1 } ?? UInt64(from) * scale
        return least...max(least, UInt64(through) * scale)
    }

    /// The number that the word means, as stored; nil if it means none, or one out of range: no sign, no exponent, no
    /// blanks.
    public func read(_ word: Word) -> UInt64? {
        var scanner = Scanner(word.bytes)
        // 15 digits: more than any range has.
        guard let number = scanner.decimal(places: decimals), scanner.isAtEnd, number.skipped == 0, number.places != 0,
            number.count <= 15
        else { return nil }
        let stored = number.scaled(to: decimals)
        return range.contains(stored) ? stored : nil
    }

    /// The same, or what is wrong.
    public func parse(_ word: Word) throws(ConfigurationError) -> UInt64 {
        if let number = read(word) { return number }
        var message = Message()
        message.quote(word)
        message.add(" is not ")
        message.add(self)
        throw message.error
    }
}

extension Message {
    /// Which numbers the rule allows: "a number of seconds from 1 to 60".
    @inline(never)
    public mutating func add(_ rule: NumberRule) {
        add(rule.what)
        add(rule.above == nil ? " from " : " above ")
        add(Int(rule.above ?? rule.from))
        add(" to ")
        add(Int(rule.through))
    }
}
