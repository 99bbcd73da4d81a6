// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// Whether servers take new requests: what they announce, and what is ordered here for this httpd alone. docs/control.md
// tells which counts.

/// How long a server must have been silent to count as returned when it is heard again: byAge's default,
/// SERVER_TIMEOUT.
private let returnSilence = UInt64(SERVER_TIMEOUT) * 1000

/// Whether there is a server in the row, which has announced itself or is a member of a balancer.
@inline(never)
func isUsed(_ row: UnsafePointer<bh_row_t>) -> Bool { bh_row_is_used(row) }

/// Name of a bh_state_t, as the JSON and the control socket spell it. What no state is counts as the most restrictive.
public func stateName(_ state: UInt32) -> StaticString {
    switch state {
    case BH_STATE_UP.rawValue: "up"
    case BH_STATE_DRAINING.rawValue: "draining"
    case BH_STATE_MAINTENANCE.rawValue: "maintenance"
    default: "shutdown"
    }
}

/// The state of a row's server as it is shown: one that takes requests and fails its own checks is failing.
func shownState(_ row: UnsafeMutablePointer<bh_row_t>) -> StaticString {
    bh_row_fails_check(row) && bh_row_state(row) == BH_STATE_UP.rawValue ? "failing" : stateName(bh_row_state(row))
}

/// Notes what an announcement says of the row's state, and whether its server has come with it: new, restarted, back
/// after a silence, or taking requests again, also because its checks pass again. Before the row's facts and times
/// are written.
///
/// - Parameter listening: since when a moderator has listened without a break: no server is silent while no moderator
///   listens.
func noteState(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, _ facts: bh_facts_t, now: UInt64, listening: UInt64
) {
    let row = bh_segment_row_mutable(segment, id)
    let heard = bh_row_heard(row)
    let wasUp = bh_half_load(&row.pointee.state) == BH_STATE_UP.rawValue
    // During its slow start a server may fail a check and pass the next without beginning again.
    let passesAgain =
        bh_row_fails_check(row) && facts.check & BH_CHECK_FAILING == 0
        && bh_row_presence(row, now) == UInt64(BH_SLOW_START_MS)
    let hasCome =
        heard == 0 || !wasUp || passesAgain || bh_word_load(&row.pointee.facts.boot_id) != facts.boot_id
        || now > max(heard, listening) &+ returnSilence
    if hasCome {
        bh_word_store(&row.pointee.came_ms, max(now, 1))
        // It may be another process now: what spoke against the old one is looked at at once.
        for slot in 0..<UInt32(BH_CHAINS) { bh_word_store(&bh_row_evidence(row, slot).pointee.probe_ms, 0) }
    }
    bh_half_store(&row.pointee.state, min(UInt32(facts.state), BH_STATE_SHUTDOWN.rawValue))
}

/// The row of the server with this address and port; nil if the table has none.
///
/// - Parameter rows: how many there are, by the moderator's own memory.
public func row(
    in segment: UnsafeMutablePointer<bh_segment_t>, rows: UInt32, of address: bh_address_t, port: UInt16
) -> UInt32? {
    for id in 0..<rows where isUsed(bh_segment_row(segment, id)) {
        var facts = bh_facts_t()
        guard bh_row_copy(bh_segment_row(segment, id), &facts) else { continue }
        if facts.port == port, facts.address == address { return id }
    }
    return nil
}

/// Orders a state for the row's server, for this httpd alone.
public func order(_ state: bh_state_t, in segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) {
    let row = bh_segment_row_mutable(segment, id)
    let before = bh_row_state(row)
    bh_half_store(&row.pointee.ordered, state.rawValue)
    // Back as after a silence: it gets a growing share.
    guard before != BH_STATE_UP.rawValue, bh_row_state(row) == BH_STATE_UP.rawValue else { return }
    bh_word_store(&row.pointee.came_ms, bh_row_heard(row))
}

/// Orders a state for this httpd itself, which is announced to all.
public func orderSelf(_ state: bh_state_t, in segment: UnsafeMutablePointer<bh_segment_t>, rows: UInt32, now: UInt64) {
    bh_half_store(&segment.pointee.state, state.rawValue)
    showOwnState(segment, rows: rows, now: now)
}

/// Whether the drain file was there when a moderator looked last, or could not look.
public func hasDrainFile(_ segment: UnsafePointer<bh_segment_t>) -> Bool {
    bh_half_load(&UnsafeMutablePointer(mutating: segment).pointee.drain_file) != BH_STATE_UP.rawValue
}

/// Notes whether the drain file is there, for this httpd itself, which is announced to all.
public func noteDrainFile(
    _ isThere: Bool, in segment: UnsafeMutablePointer<bh_segment_t>, rows: UInt32, now: UInt64
) {
    bh_half_store(&segment.pointee.drain_file, (isThere ? BH_STATE_DRAINING : BH_STATE_UP).rawValue)
    showOwnState(segment, rows: rows, now: now)
}

/// The state of this httpd itself while it does not stop: the more restrictive of what an administrator has ordered,
/// and of what the drain file asks for.
public func ownState(_ segment: UnsafeMutablePointer<bh_segment_t>) -> bh_state_t {
    let ordered = bh_half_load(&segment.pointee.state)
    if ordered >= BH_STATE_MAINTENANCE.rawValue { return BH_STATE_MAINTENANCE }
    return ordered == BH_STATE_DRAINING.rawValue || hasDrainFile(segment) ? BH_STATE_DRAINING : BH_STATE_UP
}

/// Writes our own state into our own rows: our children need not wait for the announcement.
private func showOwnState(_ segment: UnsafeMutablePointer<bh_segment_t>, rows: UInt32, now: UInt64) {
    let state = ownState(segment)
    for id in 0..<rows where bh_row_own(bh_segment_row(segment, id)) {
        let row = bh_segment_row_mutable(segment, id)
        if bh_half_load(&row.pointee.state) != BH_STATE_UP.rawValue, state == BH_STATE_UP {
            bh_word_store(&row.pointee.came_ms, now)
        }
        bh_half_store(&row.pointee.state, state.rawValue)
    }
}
