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
public func silence(
    _ segment: UnsafePointer<bh_segment_t>, _ id: UInt32, _ asked: UnsafePointer<bh_facts_t>, seconds: UInt32,
    mayRetry: Bool, now: UInt64
) -> bh_silence_t {
    if mayRetry, timesOut(bh_segment_row(segment, id)), hasOther(segment, than: id, now, inTime: true) {
        return BH_SILENCE_GONE
    }
    guard seconds >= leastSilence else { return BH_SILENCE_WAIT }
    let life = bh_row_life(segment, id, asked, now)
    if life == BH_LIFE_NONE { return BH_SILENCE_GONE }
    guard mayRetry, !bh_row_own(bh_segment_row(segment, id)), life == BH_LIFE_ENDING || isTimeToProbe(seconds),
        hasOther(segment, than: id, now, inTime: false)
    else { return BH_SILENCE_WAIT }
    return life == BH_LIFE_ENDING ? BH_SILENCE_GONE : BH_SILENCE_PROBE
}

/// After 4, 8, 16 s and so on.
private func isTimeToProbe(_ seconds: UInt32) -> Bool {
    seconds % firstProbe == 0 && (seconds / firstProbe).nonzeroBitCount == 1
}

/// Whether the last check of its application got no answer in time.
private func timesOut(_ row: UnsafePointer<bh_row_t>) -> Bool {
    bh_row_check(row) & 0xff == BH_FINDING_TIMEOUT.rawValue
}

/// Whether another server could have the request now.
///
/// - Parameter inTime: its own check must not have timed out.
private func hasOther(
    _ segment: UnsafePointer<bh_segment_t>, than id: UInt32, _ now: UInt64, inTime: Bool
) -> Bool {
    let clock = bh_segment_age_clock(segment, now)
    for other in 1..<max(bh_segment_rows(segment), 1) where other != id {
        let row = bh_segment_row(segment, other)
        let heard = bh_row_heard(row)
        if heard != 0, bh_row_state(row) == BH_STATE_UP.rawValue, !bh_row_own(row), !bh_row_is_refusing(row, now),
            clock <= heard &+ UInt64(BH_LIFE_SILENT_MS), !inTime || !timesOut(row)
        {
            return true
        }
    }
    return false
}
