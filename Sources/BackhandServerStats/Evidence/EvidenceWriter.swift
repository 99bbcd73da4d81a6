// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// How children write evidence: an answer to a request that the chain placed freely, or the lack of one.

/// Counts the answer, and asks the server last if it has failed all requests of several clients.
public func noteEvidence(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, chain: UInt32, kind: bh_class_t, asked: bh_asked_t,
    now: UInt64
) {
    guard kind.rawValue < BH_CLASSES.rawValue else { return }
    let row = bh_segment_row_mutable(segment, id)
    let slot = bh_chain_slot(chain)
    let half = bh_half_load(&row.pointee.generation) & 1
    let evidence = bh_row_evidence(row, slot)
    bh_evidence_count(evidence, kind)
    bh_evidence_add(evidence, BH_SETS_ALL, half, asked)
    if kind == BH_CLASS_FAILED {
        lengthenRun(evidence, half, asked)
    } else {
        if bh_half_load(&evidence.pointee.run) != 0 { endRun(row, slot) }
        if kind == BH_CLASS_WRONG { bh_evidence_add(evidence, BH_SETS_WRONG, half, asked) }
    }
    let doubts = bh_row_doubts(row, slot)
    if doubts != 0 {
        // Of wrong answers only where the server is in doubt for those.
        let isGood =
            kind.rawValue < BH_CLASS_WRONG.rawValue
            || (kind == BH_CLASS_WRONG && doubts >> BH_DOUBT_WRONG.rawValue == 0)
        noteInDoubt(row, slot, isGood: isGood, now: now)
    }
    if kind == BH_CLASS_FAILED { evaluateFailure(segment, id, chain: chain, now: now) }
}

/// One more failure in a row.
@inline(never)
private func lengthenRun(_ evidence: UnsafeMutablePointer<bh_evidence_t>, _ half: UInt32, _ asked: bh_asked_t) {
    bh_evidence_add(evidence, BH_SETS_FAILED, half, asked)
    bh_set_add(&evidence.pointee.run_clients, asked.client)
    bh_set_add(&evidence.pointee.run_urls, asked.url)
    _ = bh_half_add(&evidence.pointee.run, 1)
}

/// An answer came after failures.
@inline(never)
private func endRun(_ row: UnsafeMutablePointer<bh_row_t>, _ slot: UInt32) {
    let evidence = bh_row_evidence(row, slot)
    bh_half_store(&evidence.pointee.run, 0)
    bh_word_store(&evidence.pointee.run_clients, 0)
    bh_word_store(&evidence.pointee.run_urls, 0)
    let fails = BH_DOUBT_FAILS.rawValue
    if bh_row_doubts(row, slot) & bh_doubt_bit(fails, 0) != 0 { bh_doubt_end(row, bh_doubt_bit(fails, slot)) }
}

/// While the server is in doubt, each good answer brings the next probe nearer, and enough of them in a row end the
/// doubt.
@inline(never)
private func noteInDoubt(_ row: UnsafeMutablePointer<bh_row_t>, _ slot: UInt32, isGood: Bool, now: UInt64) {
    let evidence = bh_row_evidence(row, slot)
    guard isGood else { return bh_half_store(&evidence.pointee.streak, 0) }
    if bh_half_add(&evidence.pointee.streak, 1) < UInt32(BH_DOUBT_STREAK) {
        let due = bh_word_load(&evidence.pointee.probe_ms)
        let soon = now &+ UInt64(BH_PROBE_AGAIN_MS)
        if due > soon { _ = bh_word_swap(&evidence.pointee.probe_ms, due, soon) }
    } else {
        bh_doubt_end(row, bh_doubt_bits(slot))
        bh_half_store(&evidence.pointee.streak, 0)
        bh_word_store(bh_row_failing(row, slot), 0)
    }
}
