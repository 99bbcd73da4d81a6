// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem

// The speed of one core. docs/arriba.md tells administrators the unit and the method.

/// Most time that measuring may take, in nanoseconds. The limit is 200 ms of wall clock; the rest is for a slice that a
/// busy machine interrupts.
private let measuringTime: UInt64 = 100_000_000
/// Rounds of one slice: under a millisecond on today's machines, so that most slices run without interruption.
private let sliceRounds = 200_000

/// Measures the speed of one core: thousands of loop rounds in a second, in the best of many short slices.
///
/// - Parameter clock: nanoseconds. Another slice is begun only if one like the longest so far would still end in time.
func measureArriba(clock: () -> UInt64) -> Int32 {
    let start = clock()
    var before = start
    var best = UInt64.max
    var longest: UInt64 = 0
    var value = 1.5
    repeat {
        value = arribaRounds(sliceRounds, from: value)
        let after = clock()
        let taken = max(after &- before, 1)
        best = min(best, taken)
        longest = max(longest, taken)
        before = after
    } while before &- start &+ longest <= measuringTime
    // Never true, but the compiler cannot know that without the rounds.
    if value.isNaN { return 1 }
    return max(Int32(clamping: UInt64(sliceRounds) * 1_000_000 / best), 1)
}

/// The work that is timed: a round is one multiplication and one addition of doubles, each waiting for the one before.
@inline(never)
func arribaRounds(_ rounds: Int, from start: Double) -> Double {
    var value = start
    for _ in 0..<rounds {
        value = value * 0.999_999 + 0.000_001
    }
    return value
}
