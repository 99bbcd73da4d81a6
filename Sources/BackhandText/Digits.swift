// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Digits that are read as a decimal number, byte after byte. Any bytes will do: nothing here traps.
///
/// Inlinable, because requests have numbers too.
public struct Digits {
    /// The number so far. What does not fit is the largest number.
    public var value: UInt64 = 0
    /// How many digits it has.
    public var count = 0

    /// Before the first digit.
    @inlinable
    public init() {}

    /// Takes the byte if it is a digit.
    @inlinable
    public mutating func take(_ byte: UInt8) -> Bool {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return false }
        value = value.saturatingTimes(10).saturatingPlus(UInt64(byte &- UInt8(ascii: "0")))
        count &+= 1
        return true
    }
}

/// A number with or without a point, as it was written.
public struct Decimal {
    /// Its digits without the point: 125 for 1.25.
    public let value: UInt64
    /// How many digits that are.
    public let count: Int
    /// Those after the point; nil: there is no point.
    public let places: Int?
    /// Digits after the last place that was wanted, which are not in value.
    public let skipped: Int

    /// The number times ten to the power of places, which must not be fewer than it has; what does not fit is the
    /// largest number.
    public func scaled(to places: Int) -> UInt64 {
        var (scaled, place) = (value, self.places ?? 0)
        while place < places {
            scaled = scaled.saturatingTimes(10)
            place += 1
        }
        return scaled
    }
}

extension UInt64 {
    /// The sum, or the largest number where it does not fit.
    @inlinable
    public func saturatingPlus(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// The product, or the largest number where it does not fit.
    @inlinable
    public func saturatingTimes(_ other: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }

    /// The difference, or 0 where it would be negative.
    @inlinable
    public func saturatingMinus(_ other: UInt64) -> UInt64 {
        self > other ? self &- other : 0
    }
}
