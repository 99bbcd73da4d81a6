// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Whether a member may get requests, as far as states go.
func standing(
    _ segment: UnsafeMutablePointer<bh_segment_t>, farm number: UInt32, row: UInt32, now: UInt64
) -> bh_standing_t {
    let farm = segment.farm(number)
    if let farm, bh_switch_is_set(bh_word_load(&farm.pointee.off)) { return BH_STANDING_FARM_OFF }
    guard row > 0, row < UInt32(BH_ROWS) else { return BH_STANDING_ABLE }
    let expected = expectation(farm)
    guard areLookedAt(segment, expected) else { return BH_STANDING_ABLE }
    let state = bh_segment_state(segment, row)
    if bh_switch_is_set(bh_word_load(&state.pointee.off)) { return BH_STANDING_OFF }
    if bh_switch_is_set(bh_word_load(&state.pointee.down)) { return BH_STANDING_DOWN }
    return expected == 0 || silence(state, now: now) <= UInt64(expected) * 1000 ? BH_STANDING_ABLE : BH_STANDING_OUT
}

/// Seconds of AthExpectUpdate; 0: there is none.
func expectation(_ farm: UnsafeMutablePointer<bh_farm_t>?) -> UInt32 {
    farm.map { bh_half_load(&$0.pointee.expect_s) } ?? 0
}

/// Whether the members' states can say anything: not where nothing was ever written for any server.
func areLookedAt(_ segment: UnsafeMutablePointer<bh_segment_t>, _ expected: UInt32) -> Bool {
    expected != 0 || bh_half_load(&segment.pointee.states) & BH_STATES_ORDERED.rawValue != 0
}

/// Milliseconds since the last update or, before the first one, since a farm has named the server; 0: none does.
func silence(_ state: UnsafeMutablePointer<bh_member_state_t>, now: UInt64) -> UInt64 {
    let last = max(bh_stamp_ms(bh_word_load(&state.pointee.updated)), bh_word_load(&state.pointee.since_ms))
    return last != 0 && now > last ? now - last : 0
}

/// What was pushed of a server and still counts.
struct Pushed {
    /// Thousandths; nil: nothing.
    var load: UInt64?
    var idle: UInt64?

    init(_ state: UnsafeMutablePointer<bh_member_state_t>, now: UInt64) {
        if bh_state_is_fresh(state, bh_word_load(&state.pointee.load_stamp), now) {
            load = bh_word_load(&state.pointee.load)
        }
        if bh_state_is_fresh(state, bh_word_load(&state.pointee.idle_stamp), now) {
            idle = min(bh_word_load(&state.pointee.idle), 1000)
        }
    }
}
