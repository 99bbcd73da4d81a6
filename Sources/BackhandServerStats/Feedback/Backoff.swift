// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// The rule of back-off.

/// The server refused a connection, or was silent: all children leave it out for a while, twice as long each time in a
/// row.
///
/// A back-off lasts from BH_BACKOFF_MIN_MS to BH_BACKOFF_MAX_MS. Each time as long as the longest without a refusal
/// takes one doubling back. Requests that were under way together are one refusal: only the first after the last
/// back-off doubles it.
///
/// - Parameter took: milliseconds until it was known. A silent server that costs a request seconds is left out for four
///   times as long at least.
@inline(never)
public func noteUnreached(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, now: UInt64, took: UInt64) {
    let row = bh_segment_row_mutable(segment, id)
    let until = bh_row_backoff(row)
    if bh_backoff_lasts(until, now) { return }
    let quiet = until < now ? (now &- until) / UInt64(BH_BACKOFF_MAX_MS) : 0
    let before = min(UInt64(bh_half_load(&row.pointee.refused)), UInt64(BH_BACKOFF_DOUBLINGS))
    let doublings = before &- min(quiet, before)
    let span = min(max(UInt64(BH_BACKOFF_MIN_MS) &<< doublings, 4 &* took), UInt64(BH_BACKOFF_MAX_MS))
    guard bh_word_swap(&row.pointee.backoff_until_ms, until, now &+ span) else { return }
    bh_half_store(&row.pointee.refused, UInt32(truncatingIfNeeded: doublings) &+ 1)
}
