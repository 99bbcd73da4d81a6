// Licensed under the Apache License, Version 2.0; see LICENSE.

/// A sequence of random numbers that its seed determines.
///
/// Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014, with the mixing function of Stafford's
/// variant 13. Nobody's secret depends on it.
struct SplitMix64 {
    private var state: UInt64

    /// Seeds may be consecutive numbers: they are mixed before they become a state.
    init(seed: UInt64, stream: Int) {
        let gamma: UInt64 = 0x9e37_79b9_7f4a_7c15
        state = Self.mix(seed &+ UInt64(truncatingIfNeeded: stream &+ 1) &* gamma)
    }

    /// A number of 0..<bound, for bounds from 1 to 2048.
    ///
    /// Multiply and shift (Lemire, TOMACS 29(1), 2019) without its rejection step: with 32 random bits some numbers are
    /// more likely than others by at most bound/2^32, here 5e-7.
    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: (Self.mix(state) >> 32 &* UInt64(truncatingIfNeeded: bound)) >> 32)
    }

    private static func mix(_ word: UInt64) -> UInt64 {
        var word = word
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}
