// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

// Answers of the oracle: the request that follows one is sent by another program, and its end is not seen. One word a
// server, which fades by itself: no timer, and nothing to take back when a process dies.

/// Microseconds for which an answer counts where no request has told how long they take.
private var unknownMean: Double { 1_000_000 }

/// Counts one more answer, or one less that was counted in the same millisecond.
@inline(never)
func countAnswer(
    _ segment: UnsafeMutablePointer<bh_segment_t>, row: UInt32, now: UInt64, isTakenBack: Bool = false
) {
    let state = bh_segment_state(segment, row)
    while true {
        let before = bh_word_load(&state.pointee.answers)
        let others = answers(before, segment, row, now: now)
        let count = isTakenBack ? max(others - 1000, 0) : min(others + 1000, 4_000_000_000)
        let after = UInt64(count) << 32 | now & 0xffff_ffff
        if bh_word_swap(&state.pointee.answers, before, after) { break }
    }
    note(BH_STATES_ANSWERED, in: segment)
}

/// Thousandths of requests that the answers count as now.
func answers(_ segment: UnsafeMutablePointer<bh_segment_t>, row: UInt32, now: UInt64) -> Double {
    answers(bh_word_load(&bh_segment_state(segment, row).pointee.answers), segment, row, now: now)
}

private func answers(
    _ word: UInt64, _ segment: UnsafeMutablePointer<bh_segment_t>, _ row: UInt32, now: UInt64
) -> Double {
    let count = Double(word >> 32)
    // Another child may have written it a moment ago, by a later clock.
    let age = UInt32(truncatingIfNeeded: now) &- UInt32(truncatingIfNeeded: word)
    guard count > 0, age < UInt32(Int32.max) else { return count }
    let mean = bh_row_mean_us(bh_segment_row(segment, row))
    return count * fading(Double(age) * 1000 / (mean == 0 ? unknownMean : Double(mean)))
}

/// e^-x to some per cent, and 0 when nothing of it is left.
func fading(_ x: Double) -> Double {
    guard x < 8 else { return 0 }
    return 1 / (1 + x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5)))))
}

/// Remembers that there is something of the kind, for those who decide.
func note(_ kind: bh_states_t, in segment: UnsafeMutablePointer<bh_segment_t>) {
    guard bh_half_load(&segment.pointee.states) & kind.rawValue == 0 else { return }
    _ = bh_half_set_bits(&segment.pointee.states, kind.rawValue)
}
