// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// Gives each of these servers a row, which no other server gets as long as each call names it. What this httpd has
/// seen of one that is named again stays. Row 0 stands for those for which there is no row left.
///
/// Where no moderator will be, changes are not heard: nothing that was announced counts any more.
///
/// For httpd's parent, while no moderator runs.
public func writeMembers(
    _ segment: UnsafeMutablePointer<bh_segment_t>,
    _ named: UnsafeBufferPointer<UnsafeMutablePointer<bh_named_t>>, now: UInt64
) {
    let isAlone = bh_segment_is_alone(segment)
    if isAlone {
        bh_word_store(&segment.pointee.beat_ms, 0)
        bh_word_store(&segment.pointee.deaf_ms, 0)
    }
    for id in 0..<bh_segment_rows(segment) {
        let row = bh_segment_row_mutable(segment, id)
        if isAlone { forgetAnnouncements(segment, id) }
        leaveRow(segment, id, now: now)
        bh_half_store(&row.pointee.member, 0)
        bh_half_store(&row.pointee.claim, 0)
    }
    // First those that have a row: it is not unused.
    for isLast in [false, true] {
        for member in named {
            let place = member.pointee.place
            var id = knownRow(segment, place)
            if id == 0, isLast { id = newRow(segment, now: now) }
            member.pointee.row = id
            if id != 0 { write(member.pointee, to: bh_segment_row_mutable(segment, id)) }
        }
    }
}

/// Until it is named again: requests of the last configuration may have chosen it until now.
private func leaveRow(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, now: UInt64) {
    let row = bh_segment_row_mutable(segment, id)
    guard bh_row_heard(row) == 0 else { return }
    if !bh_row_is_member(row) {
        // When another server was heard there says nothing of one that will be named.
        bh_word_store(&row.pointee.first_heard_ms, 0)
        return
    }
    // Another one may claim it, and must not begin with what was seen of this one.
    if bh_half_load(&row.pointee.member) == BH_MEMBERSHIP_RESERVED.rawValue { emptyRow(segment, id) }
    bh_word_store(&row.pointee.came_ms, now)
}

private func write(_ member: bh_named_t, to row: UnsafeMutablePointer<bh_row_t>) {
    let membership = member.reserved ? BH_MEMBERSHIP_RESERVED : BH_MEMBERSHIP_NAMED
    bh_half_store(&row.pointee.member, membership.rawValue)
    guard bh_row_heard(row) == 0 else { return }
    bh_word_store(&row.pointee.came_ms, 0)
    var facts = bh_facts_t()
    (facts.address, facts.port) = (member.place.address, member.place.port)
    facts.setHostname(member.name)
    (row.pointee.facts, row.pointee.before) = (facts, facts)
}

private func forgetAnnouncements(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) {
    hideRow(segment, id)
    markRow(segment, id, own: false)
    let row = bh_segment_row_mutable(segment, id)
    bh_half_store(&row.pointee.ordered, BH_STATE_UP.rawValue)
    // No moderator would bring them up to date.
    bh_half_store(&row.pointee.effective_capacity, 0)
    bh_half_store(&row.pointee.sent_mean, 0)
    bh_half_store(&row.pointee.recent_us, 0)
}

/// The row that is or was its server's. One that has moved and come back may have left a row behind: the one in which
/// it is heard counts. 0: there is none.
@inline(never)
private func knownRow(_ segment: UnsafeMutablePointer<bh_segment_t>, _ place: bh_place_t) -> UInt32 {
    var found: UInt32 = 0
    for id in 1..<max(1, bh_segment_rows(segment)) {
        let row = bh_segment_row(segment, id)
        guard row.pointee.facts.port == place.port, row.pointee.facts.address == place.address else { continue }
        found = id
        if bh_row_heard(row) != 0 { break }
    }
    return found
}

/// A new row or, if there is none left, one that its server has left at least a minute ago; 0: none either.
private func newRow(_ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64) -> UInt32 {
    let used = max(1, bh_segment_rows(segment))
    if used < UInt32(BH_ROWS) {
        bh_half_store(&segment.pointee.rows, used + 1)
        return used
    }
    for id in 1..<used {
        let row = bh_segment_row(segment, id)
        guard bh_row_heard(row) == 0, !bh_row_is_member(row), !bh_row_own(row), requestsInFlight(segment, id) == 0,
            now >= bh_row_came(row) &+ rowPatience
        else { continue }
        emptyRow(segment, id)
        return id
    }
    return 0
}
