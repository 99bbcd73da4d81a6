// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
public import CBackhand

// The table as JSON; docs/status.md describes each field. Rows are written one after the other through a page of fixed
// size, so a full table costs no more memory than an empty one. The writer is compiled once for each sink: its parts,
// which know of none, are not to be.

/// Takes a piece of text; false stops the writer.
public typealias TextSink = (UnsafeBufferPointer<UInt8>) -> Bool

/// Writes the table and the counters as one JSON object; false if the sink stopped it.
///
/// rows: how many there are; now: CLOCK_MONOTONIC milliseconds; wall: wall clock seconds.
/// isBegun: the bracket, and fields of another module with a comma, are written already.
public func writeSegmentJSON(
    _ segment: UnsafePointer<bh_segment_t>, rows: UInt32, now: UInt64, wall: Int64, isBegun: Bool = false,
    to sink: TextSink
) -> Bool {
    // Only so that fields of the header can be read by atomics, which want a mutable pointer: nothing is written.
    let segment = UnsafeMutablePointer(mutating: segment)
    var page = JSONPage()
    if !isBegun { page.beginObject() }
    page.field("version", Word(bh_version()))
    page.field("now", wall)
    writeTrouble(segment, now: now, to: &page)
    writeSelf(segment, rows: rows, now: now, to: &page)
    page.key("servers")
    page.beginArray()
    guard page.drain(to: sink) else { return false }
    let longest = bh_segment_presence(segment, rows, now)
    for id in 0..<rows {
        writeServer(segment, id, longest: longest, now: now, to: &page)
        guard page.drain(to: sink) else { return false }
    }
    page.endArray()
    writeSenders(segment, now: now, to: &page)
    writeCounters(segment, to: &page)
    page.endObject()
    page.newline()
    return page.drain(to: sink, last: true)
}

/// Why it tells nothing of now; empty: it does. The text ends with its NUL.
@inline(never)
private func writeTrouble(_ segment: UnsafePointer<bh_segment_t>, now: UInt64, to page: inout JSONPage) {
    page.field(
        "trouble", bytes: UnsafeRawBufferPointer(start: bh_trouble_text(bh_segment_trouble(segment, now)), count: 256))
}

/// This httpd and its moderator.
@inline(never)
private func writeSelf(
    _ segment: UnsafeMutablePointer<bh_segment_t>, rows: UInt32, now: UInt64, to page: inout JSONPage
) {
    page.key("self")
    page.beginObject()
    page.field("boot_id", hexadecimal: bh_word_load(&segment.pointee.boot_id))
    page.field("sequence", bh_word_load(&segment.pointee.sequence))
    page.field("arriba", Int64(bh_segment_arriba(segment)))
    page.field("arrivals", bh_word_load(&segment.pointee.arrivals))
    page.field("demand", thousandths: Int64(bh_half_load(&segment.pointee.demand)))
    page.field("moderator_pid", Int64(segment.pointee.owner_pid))
    page.field("moderator_starts", UInt64(bh_half_load(&segment.pointee.owner_epoch)))
    page.field("moderator_age_ms", elapsed(since: bh_word_load(&segment.pointee.beat_ms), now))
    page.field("unattended", bh_segment_unattended(segment))
    page.field("rows", UInt64(rows))
    page.field("rows_max", UInt64(BH_ROWS))
    page.endObject()
}

/// One server; nothing for a row that is empty or being written all the time.
@inline(never)
private func writeServer(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, longest: UInt64, now: UInt64, to page: inout JSONPage
) {
    let row = bh_segment_row_mutable(segment, id)
    let last = bh_row_last_heard(row)
    var facts = bh_facts_t()
    guard isUsed(row), bh_row_copy(row, &facts) else { return }
    page.beginObject()
    page.field("id", UInt64(id))
    page.field("self", id == 0)
    page.field("own", bh_row_own(row))
    page.field("member", bh_row_is_member(row))
    withUnsafeBytes(of: facts.hostname) { page.field("hostname", bytes: $0) }
    page.field("address", facts.address)
    page.field("port", UInt64(facts.port))
    if last != 0 { page.field("age_ms", elapsed(since: last, now)) }
    if bh_row_heard(row) != 0 { writeFacts(facts, to: &page) }
    let lender = bh_segment_lender(segment, id)
    if lender != 0 { page.field("facts_of", UInt64(lender - 1)) }
    writeState(row, to: &page)
    page.field("reason", reason(segment, id, facts, longest: longest, now: now), of: facts)
    if bh_row_heard(row) != 0 { page.field("up_ms", elapsed(since: bh_row_came(row), now)) }
    writeFeedback(row, kept: bh_row_kept(segment, id), now: now, to: &page)
    page.endObject()
}

/// What the server announced.
private func writeFacts(_ facts: bh_facts_t, to page: inout JSONPage) {
    page.field("last_announced", facts.changed_wall)
    page.field("clock_ahead_s", Int64(facts.clock_s))
    page.field("load", thousandths: Int64(facts.load))
    page.field("load_hwm", thousandths: Int64(facts.load_hwm))
    page.field("cpu_idle", thousandths: Int64(min(max(facts.cpu, 0), 1000)))
    page.field("ncpu", Int64(facts.ncpu))
    page.field("arriba", Int64(facts.arriba))
    page.field("memory_total", facts.total_memory)
    page.field("memory_available", facts.free_memory)
    page.field("memory_worker", facts.worker_memory)
    page.field("workers", Int64(facts.workers))
    page.field("workers_idle", Int64(facts.idle_workers))
    writeIdle(facts, to: &page)
    writeService(facts, to: &page)
    page.field("arrivals", facts.arrivals)
    let slashes = Slashes(facts.slashes)
    page.field("encoded_slashes", name: slashes.encoded)
    page.field("merge_slashes", name: slashes.merged)
    writeMeans(facts, to: &page)
}

/// What a connection costs it that is kept.
private func writeIdle(_ facts: bh_facts_t, to page: inout JSONPage) {
    let words: InlineArray<4, StaticString> = ["unknown", "free", "worker", "closed"]
    page.field("idle_cost", name: words[Int(min(facts.idle_cost, 3))])
    page.field("keepalive_ms", UInt64(facts.keepalive_ms))
    page.field("keepalive_requests", UInt64(facts.keepalive_requests))
    page.field("workers_kept", Int64(facts.kept_workers))
}

/// Its means over the second before, as it announced them.
private func writeMeans(_ facts: bh_facts_t, to page: inout JSONPage) {
    page.field("dispatched", facts.dispatched)
    page.field("mean_in_flight", thousandths: Int64(facts.mean_in_flight))
    page.field("arrival_rate", thousandths: Int64(facts.arrival_rate))
    page.field("first_byte_ms", thousandths: Int64(facts.first_byte_us))
    page.field("latency_ms", thousandths: Int64(facts.latency_us))
    if facts.cpu_used != BH_CPU_UNKNOWN { page.field("cpu_used", thousandths: Int64(facts.cpu_used)) }
    page.field("capacity", UInt64(facts.capacity))
    page.field("error_share", thousandths: Int64(facts.error_ppm / 1000))
}

/// What this httpd's children saw of it.
private func writeFeedback(_ row: UnsafeMutablePointer<bh_row_t>, kept: UInt32, now: UInt64, to page: inout JSONPage) {
    let served = bh_word_load(&row.pointee.served)
    page.field("concurrency", thousandths: concurrency(row))
    page.field("in_flight", UInt64(bh_half_load(&row.pointee.in_flight)))
    page.field("kept", UInt64(kept))
    page.field("served", served)
    page.field("failed", bh_word_load(&row.pointee.failed))
    page.field("refused", UInt64(bh_half_load(&row.pointee.refused)))
    page.field("mean_ms", thousandths: Int64(clamping: bh_row_mean_us(row)))
    page.field("backoff_ms", elapsed(since: now, bh_row_backoff(row)))
}

/// Thousandths of a request that the server can serve at once without slowing down; 0: not known.
private func concurrency(_ row: UnsafeMutablePointer<bh_row_t>) -> Int64 {
    let speed = bh_signed_load(&row.pointee.facts.arriba)
    return speed > 0 ? Int64(bh_half_load(&row.pointee.effective_capacity)) * 1_000_000 / Int64(speed) : 0
}

/// Senders that were heard lately, and are not among the servers.
@inline(never)
private func writeSenders(_ segment: UnsafePointer<bh_segment_t>, now: UInt64, to page: inout JSONPage) {
    page.key("not_in_table")
    page.beginArray()
    var sender = bh_sender_t()
    for place in 0..<UInt32(BH_SENDERS) {
        guard bh_segment_sender(segment, place, &sender), let word = refusalText(sender.counter) else { continue }
        page.beginObject()
        page.field("address", sender.address)
        page.field("reason", name: word)
        page.field("age_ms", elapsed(since: sender.heard_ms, now))
        page.field("times", UInt64(sender.times))
        page.endObject()
    }
    page.endArray()
}

@inline(never)
private func writeCounters(_ segment: UnsafeMutablePointer<bh_segment_t>, to page: inout JSONPage) {
    page.key("counters")
    page.beginObject()
    for counter in 0..<BH_COUNTERS.rawValue {
        guard let name = counterName(counter) else { continue }
        page.field(name, bh_counter_load(segment, counter))
    }
    page.endObject()
}
