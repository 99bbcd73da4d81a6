// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// Seconds of silence for which a server needs no other sign of life: longer than a connection is waited for.
private let leastSilence = UInt32(4)

/// Seconds of silence after which the server's port is tried; then after twice as many, and so on: a server at work
/// must not be kept busy by it.
private let firstProbe = UInt32(4)

/// What silence on a request shows about its server.
///
/// One that is shutting down, or does not listen any more, may be finishing what it has begun, and one whose check has
/// timed out may be slow: only requests that may be retried go elsewhere.
///
/// - Parameters:
///   - asked: the server, as it was when it was asked.
///   - seconds: how long it has been silent.
///   - how: how it was asked, and which candidates come next.
public func silence(
    _ segment: UnsafePointer<bh_segment_t>, _ id: UInt32, _ asked: UnsafePointer<bh_facts_t>, seconds: UInt32,
    how: UnsafePointer<bh_next_attempt_t>, now: UInt64
) -> bh_silence_t {
    let mayRetry = how.pointee.may_retry
    if mayRetry, bh_row_check_is_late(bh_segment_row(segment, id)), hasCandidate(segment, how, now) {
        return BH_SILENCE_GONE
    }
    guard seconds >= leastSilence else { return BH_SILENCE_WAIT }
    let life = bh_row_life(segment, id, asked, now)
    if life == BH_LIFE_NONE { return BH_SILENCE_GONE }
    guard mayRetry, !bh_row_own(bh_segment_row(segment, id)), life == BH_LIFE_ENDING || isTimeToProbe(seconds),
        hasOther(segment, than: id, now)
    else { return BH_SILENCE_WAIT }
    return life == BH_LIFE_ENDING ? BH_SILENCE_GONE : BH_SILENCE_PROBE
}

/// After 4, 8, 16 s and so on.
private func isTimeToProbe(_ seconds: UInt32) -> Bool {
    seconds % firstProbe == 0 && (seconds / firstProbe).nonzeroBitCount == 1
}

/// Whether one of the candidates that come next answers its checks: the chain has left it, and the request has not
/// waited for it yet.
///
/// If the database is slow, all of them time out, and each request stays where it is.
private func hasCandidate(
    _ segment: UnsafePointer<bh_segment_t>, _ how: UnsafePointer<bh_next_attempt_t>, _ now: UInt64
) -> Bool {
    let clock = bh_segment_age_clock(segment, now)
    for place in 0..<min(how.pointee.other_count, UInt32(BH_OTHERS)) {
        let row = bh_segment_row(segment, bh_next_attempt_other(how, place))
        if !bh_row_fails_check(row), !bh_row_check_is_late(row), takesRequests(row, clock, now) { return true }
    }
    return false
}

/// Whether another server could have the request now.
private func hasOther(_ segment: UnsafePointer<bh_segment_t>, than id: UInt32, _ now: UInt64) -> Bool {
    let clock = bh_segment_age_clock(segment, now)
    for other in 1..<max(bh_segment_rows(segment), 1) where other != id {
        if takesRequests(bh_segment_row(segment, other), clock, now) { return true }
    }
    return false
}

@inline(never)
private func takesRequests(_ row: UnsafePointer<bh_row_t>, _ clock: UInt64, _ now: UInt64) -> Bool {
    let heard = bh_row_heard(row)
    return heard != 0 && bh_row_state(row) == BH_STATE_UP.rawValue && !bh_row_own(row)
        && !bh_row_is_refusing(row, now) && clock <= heard &+ UInt64(BH_LIFE_SILENT_MS)
}
