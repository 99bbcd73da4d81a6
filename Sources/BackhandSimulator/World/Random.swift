// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// Random numbers that depend on a seed and a stream alone.
///
/// Each purpose has a stream of its own: what one rule draws changes nothing for the others, so every rule meets the
/// same world.
public struct Random: RandomNumberGenerator {
    private var numbers: SplitMix64

    /// The numbers of one stream, and of one of several members of it (index).
    public init(seed: UInt64, stream: Stream, index: Int = 0) {
        var start = SplitMix64(
            state: seed &* 0x2545_f491_4f6c_dd1d &+ stream.rawValue << 32 &+ UInt64(truncatingIfNeeded: index))
        numbers = SplitMix64(state: start.next())
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        numbers.next()
    }

    /// Uniform in 0..<1.
    public mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// Exponential with this mean.
    public mutating func exponential(_ mean: Double) -> Double {
        -mean * logarithm(1 - unit())
    }

    /// Uniform in 0..<bound; the bound is 1 to 2^32.
    public mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: ((next() >> 32) &* UInt64(bound)) >> 32)
    }

    /// What random numbers are drawn for.
    public enum Stream: UInt64, Sendable {
        case arrivals = 1, demands, balancers, antagonists, announcements, choices, jobs, tides
    }
}
