// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// Gives each of these servers a row, which no other server gets as long as each call names it. What this httpd has
/// seen of one that is named again stays. Row 0 stands for those for which there is no row left.
///
/// For httpd's parent, while there is no moderator.
public func writeMembers(
    _ segment: UnsafeMutablePointer<bh_segment_t>,
    _ named: UnsafeBufferPointer<UnsafeMutablePointer<bh_named_t>>
) {
    for id in 1..<max(1, bh_segment_rows(segment)) {
        let row = bh_segment_row_mutable(segment, id)
        bh_half_store(&row.pointee.member, 0)
        bh_half_store(&row.pointee.claim, 0)
    }
    // First those that have a row: it is not unused.
    for isLast in [false, true] {
        for member in named {
            let place = member.pointee.place
            var id = knownRow(segment, place)
            if id == 0, isLast { id = newRow(segment, place) }
            member.pointee.row = id
            if id != 0 { write(member.pointee, to: bh_segment_row_mutable(segment, id)) }
        }
    }
}

private func write(_ member: bh_named_t, to row: UnsafeMutablePointer<bh_row_t>) {
    let membership = member.reserved ? BH_MEMBERSHIP_RESERVED : BH_MEMBERSHIP_NAMED
    bh_half_store(&row.pointee.member, membership.rawValue)
    guard bh_row_heard(row) == 0 else { return }
    row.pointee.facts.setHostname(member.name)
    row.pointee.before = row.pointee.facts
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

/// Readers pass over it until it is a member's. 0: there is none.
private func newRow(_ segment: UnsafeMutablePointer<bh_segment_t>, _ place: bh_place_t) -> UInt32 {
    let id = unusedRow(segment)
    guard id != 0 else { return 0 }
    var facts = bh_facts_t()
    (facts.address, facts.port) = (place.address, place.port)
    let row = bh_segment_row_mutable(segment, id)
    (row.pointee.facts, row.pointee.before) = (facts, facts)
    return id
}

/// A new one or, if there is none left, one that a server of an earlier configuration has left; 0: none either.
private func unusedRow(_ segment: UnsafeMutablePointer<bh_segment_t>) -> UInt32 {
    let used = max(1, bh_segment_rows(segment))
    if used < UInt32(BH_ROWS) {
        bh_half_store(&segment.pointee.rows, used + 1)
        return used
    }
    for id in 1..<used {
        let row = bh_segment_row(segment, id)
        guard bh_row_heard(row) == 0, !bh_row_is_member(row), !bh_row_own(row), requestsInFlight(segment, id) == 0
        else { continue }
        emptyRow(segment, id)
        return id
    }
    return 0
}
