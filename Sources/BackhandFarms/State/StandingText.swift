// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

// Why a member gets no requests, or fewer, in one column: states first, because they count whatever this httpd sees,
// and then what it sees, in the words of docs/status.md.

extension LineWriter {
    /// Nothing if nothing speaks against the member.
    mutating func add(
        reasonAgainst row: UInt32, farm: UInt32, _ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64
    ) {
        switch standing(segment, farm: farm, row: row, now: now) {
        case BH_STANDING_FARM_OFF: add("farm off")
        case BH_STANDING_OFF: add("off")
        case BH_STANDING_DOWN: add("down")
        case BH_STANDING_OUT:
            add("out ")
            add(silence(bh_segment_state(segment, row), now: now) / 1000)
            add(" s")
        default: if let server = segment.server(row) { add(sightOf: server, segment, now: now) }
        }
    }

    /// What this httpd sees of the server, or what was ordered for it here.
    private mutating func add(
        sightOf row: UnsafeMutablePointer<bh_row_t>, _ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64
    ) {
        let (heard, clock) = (bh_row_last_heard(row), bh_segment_age_clock(segment, now))
        if heard != 0, clock > heard &+ UInt64(BH_LIFE_SILENT_MS) {
            add("silent ")
            add((clock - heard) / 1000)
            return add(" s")
        }
        if isDrained(bh_half_load(&row.pointee.state)) { return add("drained (there)") }
        if isDrained(bh_half_load(&row.pointee.ordered)) { return add("drained (here)") }
        let backoff = bh_backoff_left(bh_row_backoff(row), now)
        if backoff > 0 {
            add("back-off ")
            add((backoff + 999) / 1000)
            return add(" s")
        }
        if bh_row_is_unreached(row, now) { return add("no connection") }
        if bh_row_fails_check(row) { return add("check") }
        if bh_row_all_doubts(row) != 0 { add("doubt") }
    }
}

private func isDrained(_ state: UInt32) -> Bool {
    state == BH_STATE_DRAINING.rawValue || state == BH_STATE_MAINTENANCE.rawValue
}

/// Whether the member can take requests now: by its states, by what is ordered, and as far as connections go.
func isAble(_ segment: UnsafeMutablePointer<bh_segment_t>, farm: UInt32, row id: UInt32, now: UInt64) -> Bool {
    guard let row = segment.server(id), standing(segment, farm: farm, row: id, now: now) == BH_STANDING_ABLE else {
        return false
    }
    return bh_row_state(row) == BH_STATE_UP.rawValue && !bh_row_is_refusing(row, now)
}
