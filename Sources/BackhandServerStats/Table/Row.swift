// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

// How one row is written. All of it is for the moderator that owns the segment.

/// Writes facts, then the public row, then the times: a reader that sees that the server was heard sees its facts.
func writeRow(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, _ facts: bh_facts_t, now: UInt64, wall: Int64,
    listening: UInt64
) {
    let row = bh_segment_row_mutable(segment, id)
    var stored = facts
    noteState(segment, id, facts, now: now, listening: listening)
    stored.changed_wall = wall
    let isOther = bh_row_heard(row) == 0 || !bh_facts_are_alike(&row.pointee.facts, &stored)
    bh_row_store(row, &stored)
    bh_half_store(&row.pointee.effective_capacity, effectiveCapacity(for: stored))
    let balancers = bh_half_load(&segment.pointee.balancers)
    let may = keepable(stored, balancers: balancers, others: balancers > 0 ? 0 : heardBeside(segment, id))
    bh_half_store(&row.pointee.may_keep, may)
    let share = shareable(may, inFlight: bh_half_load(&row.pointee.sent_mean))
    bh_half_store(&bh_segment_shared(segment, id).pointee.most, share.waiting)
    bh_half_store(&bh_segment_shared(segment, id).pointee.most_kept, share.kept)
    bh_state_replace(segment, id, &stored, now)
    publishFacts(stored, to: bh_segment_public_mutable(segment, id))
    let now = max(now, 1)  // 0 says that the row is empty
    if bh_row_heard(row) == 0 {
        // Its first announcement is all that is known of its workers yet.
        bh_segment_set_spare(segment, id, 0, UInt32(max(0, stored.idle_workers)))
        bh_word_store(&row.pointee.first_heard_ms, now)
    }
    bh_word_store(&row.pointee.heard_ms, now)
    if bh_segment_rows(segment) <= id { bh_half_store(&segment.pointee.rows, id + 1) }
    if isOther { bh_segment_note_membership(segment) }
}

/// How many other servers may be balancers: this httpd, and those that announce themselves.
private func heardBeside(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) -> UInt32 {
    var heard: UInt32 = id == 0 ? 0 : 1
    for other in 1..<max(bh_segment_rows(segment), 1) where Double(heard) < mostBalancers {
        heard += other != id && bh_row_heard(bh_segment_row(segment, other)) != 0 ? 1 : 0
    }
    return heard
}

/// Says whether the row is this httpd itself: children take it for a candidate or do not.
func markRow(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, own: Bool) {
    let row = bh_segment_row_mutable(segment, id)
    guard bh_row_own(row) != own else { return }
    bh_half_store(&row.pointee.own, own ? 1 : 0)
    bh_segment_note_membership(segment)
}

/// Requests of this httpd at the row's server now.
func requestsInFlight(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) -> UInt32 {
    bh_half_load(&bh_segment_row_mutable(segment, id).pointee.in_flight)
}

/// What the server refused does not count any more: it has answered, or takes requests at another address.
///
/// The count goes first. A refusal between the two stores begins a back-off with a count of one, or none at all. The
/// other way round it could leave a back-off without a count, which no answer would end.
func forgetRefusals(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) {
    let row = bh_segment_row_mutable(segment, id)
    bh_half_store(&row.pointee.refused, 0)
    bh_word_store(&row.pointee.backoff_until_ms, 0)
}

/// Decisions skip the row from now on; those among members take it for one that announces nothing: of what it has
/// announced, only its place and name stay. Its feedback stays until its server is heard again, or until the row is
/// reused.
@inline(never)
func hideRow(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) {
    let row = bh_segment_row_mutable(segment, id)
    let heard = bh_row_heard(row)
    bh_word_store(&row.pointee.heard_ms, 0)
    bh_word_store(&row.pointee.first_heard_ms, 0)
    bh_segment_set_lender(segment, id, 0)
    bh_half_store(&row.pointee.state, BH_STATE_UP.rawValue)
    if heard != 0 { bh_word_store(&row.pointee.came_ms, heard) }
    // Each is a word of its own: no reader needs the rest to be of the same announcement.
    bh_half_store(&row.pointee.facts.check, 0)
    bh_half_store(&row.pointee.facts.error_ppm, 0)
    bh_half_store(&row.pointee.before.check, 0)
    bh_half_store(&row.pointee.before.error_ppm, 0)
    if heard != 0 { bh_segment_note_membership(segment) }
}

/// Takes the row from its server. Readers skip it from the first store on.
func emptyRow(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) {
    hideRow(segment, id)
    let row = bh_segment_row_mutable(segment, id)
    bh_half_store(&row.pointee.ordered, BH_STATE_UP.rawValue)
    forgetRefusals(segment, id)
    bh_word_store(&row.pointee.served, 0)
    bh_word_store(&row.pointee.failed, 0)
    bh_word_store(&row.pointee.service_us, 0)
    for slot in 0..<UInt32(BH_CHAINS) { bh_word_store(bh_row_latency(row, slot), 0) }
    bh_word_store(&row.pointee.first_byte, 0)
    bh_evidence_forget(row)
    bh_half_store(&row.pointee.sent_mean, 0)
    bh_half_store(&row.pointee.recent_us, 0)
    publishRowFeedback(segment, id)
    if bh_half_load(&segment.pointee.states) != 0 { bh_state_forget(segment, id) }
}

/// Copies the children's feedback to the public row.
func publishRowFeedback(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) {
    let row = bh_segment_row_mutable(segment, id)
    let served = bh_word_load(&row.pointee.served)
    let shown = bh_segment_public_mutable(segment, id)
    bh_public_store(&shown.pointee.numbacked, Int32(clamping: served))
    bh_public_store(&shown.pointee.tatime, Int32(clamping: bh_row_mean_us(row) / 1000))
}

/// Writes what functions of old see. Their counts of requests stay: publishRowFeedback writes those.
func publishFacts(_ facts: bh_facts_t, to row: UnsafeMutablePointer<serverstat>) {
    let fresh = serverstat(facts)
    row.pointee.hostname = fresh.hostname
    row.pointee.contact = fresh.contact
    bh_public_store(&row.pointee.arriba, fresh.arriba)
    bh_public_store(&row.pointee.aservers, fresh.aservers)
    bh_public_store(&row.pointee.nservers, fresh.nservers)
    bh_public_store(&row.pointee.load, fresh.load)
    bh_public_store(&row.pointee.load_hwm, fresh.load_hwm)
    bh_public_store(&row.pointee.cpu, fresh.cpu)
    bh_public_store(&row.pointee.ncpu, fresh.ncpu)
    bh_public_store(&row.pointee.tmem, fresh.tmem)
    bh_public_store(&row.pointee.amem, fresh.amem)
    row.pointee.mtime = fresh.mtime
}
