// Licensed under the Apache License, Version 2.0; see LICENSE.

/// A sequence of random numbers that its seed determines.
///
/// Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014, with the mixing function of
/// Stafford's variant 13. No secret depends on it. Inlinable, because decisions draw from it.
public struct SplitMix64: RandomNumberGenerator {
    @usableFromInline var state: UInt64

    @inlinable static var gamma: UInt64 { 0x9e37_79b9_7f4a_7c15 }

    /// The sequence from a state on.
    @inlinable
    public init(state: UInt64) { self.state = state }

    /// Seeds may be consecutive numbers: they are mixed before they become a state.
    @inlinable
    public init(seed: UInt64, stream: Int) {
        self.init(state: Self.mix(seed &+ UInt64(truncatingIfNeeded: stream &+ 1) &* Self.gamma))
    }

    /// The next 64 random bits.
    @inlinable
    public mutating func next() -> UInt64 {
        state &+= Self.gamma
        return Self.mix(state)
    }

    /// A number of 0..<bound, for bounds from 1 to 2048.
    ///
    /// Multiply and shift (Lemire, TOMACS 29(1), 2019) without its rejection step: with 32 random bits some numbers are
    /// more likely than others by at most bound/2^32, here 5e-7.
    @inlinable
    public mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: (next() >> 32 &* UInt64(truncatingIfNeeded: bound)) >> 32)
    }

    /// A number just above 1, by which to multiply what is compared: equal ones then come in a random order, others
    /// stay apart if they differ by more than a millionth.
    @inlinable
    public mutating func nudge() -> Double {
        // A linear congruential generator (Knuth's MMIX) is enough to break ties, and this runs once for every server.
        // The upper bits are a number's from 1 to 1.000001.
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(bitPattern: 0x3ff0_0000_0000_0000 | state >> 32)
    }

    /// A number above 0 and at most 1, with 53 random bits.
    @inlinable
    public mutating func unit() -> Double {
        Double(next() >> 11 &+ 1) * 0x1p-53
    }

    /// The mixing step, which maps different numbers to different ones.
    @inlinable
    public static func mix(_ word: UInt64) -> UInt64 {
        var word = word
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}
