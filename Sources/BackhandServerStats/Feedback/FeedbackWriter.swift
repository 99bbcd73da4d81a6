// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// How children write into the rows what requests showed about their servers.

/// Writes down what the end of a request means for its server. Returns bits of bh_warning_t.
public func report(
    _ result: UnsafePointer<bh_result_t>, to segment: UnsafeMutablePointer<bh_segment_t>
) -> UInt32 {
    let feedback = Feedback(result)
    let result = result.pointee
    let id = result.id
    let now = result.ended_us / 1000
    if let kind = feedback.kind {
        let first = result.first_us > result.began_us ? result.first_us &- result.began_us : 0
        noteTime(
            segment, id, chain: result.chain, nowMicroseconds: result.ended_us, firstByte: first, whole: feedback.time,
            kind: kind)
        if result.free { noteEvidence(segment, id, chain: result.chain, kind: kind, asked: result.asked, now: now) }
    }
    switch feedback.count {
    case .nothing: break
    case .served: noteServed(segment, id, feedback.time)
    case .failed: noteFailed(segment, id)
    }
    if let took = feedback.unreachedMilliseconds { noteUnreached(segment, id, now: now, took: took) }
    guard let knowsUs = feedback.knowsUs else { return feedback.warnings }
    if knowsUs {
        noteKnown(segment, id)
    } else if noteUnknown(segment, id, now: now) >= usualUnknown {
        return feedback.warnings | BH_WARNING_UNKNOWN.rawValue
    }
    return feedback.warnings
}

/// How long a request took at the server, in microseconds; firstByte 0: not known. A failure has no time.
///
/// An answer of a class that does not show speed makes no server quicker: "404 Not Found" takes little. While few
/// answers are known, it takes the time back: one first answer that was slow, and stays young by all others, would keep
/// the requests away from which more would be learnt.
public func noteTime(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, chain: UInt32, nowMicroseconds: UInt64,
    firstByte: UInt64,
    whole: UInt64, kind: bh_class_t
) {
    guard kind.rawValue < BH_CLASS_FAILED.rawValue else { return }
    let row = bh_segment_row_mutable(segment, id)
    let slot = bh_chain_slot(chain)
    let latency = bh_row_latency(row, slot)
    var whole = whole
    let isTime = bh_class_is_time(row, slot, kind.rawValue)
    if !isTime {
        let mean = bh_mean_value(bh_word_load(latency))
        guard mean > 0 else { return }
        if bh_row_is_unproven(row, slot) { return bh_word_store(latency, 0) }
        whole = max(whole, mean)
    }
    bh_mean_add(latency, nowMicroseconds, max(1, whole), UInt64(BH_LATENCY_TAU_US), UInt64(BH_LATENCY_CLIP))
    guard isTime, firstByte > 0 else { return }
    bh_mean_add(&row.pointee.first_byte, nowMicroseconds, firstByte, UInt64(BH_LATENCY_TAU_US), UInt64(BH_LATENCY_CLIP))
}

/// The server answered after this many microseconds. That ends its back-off.
public func noteServed(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, _ microseconds: UInt64) {
    let row = bh_segment_row_mutable(segment, id)
    bh_word_add(&row.pointee.served, 1)
    bh_word_add(&row.pointee.service_us, microseconds)
    if bh_half_load(&row.pointee.refused) != 0 { forgetRefusals(segment, id) }
}

/// The server did not answer.
public func noteFailed(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) {
    bh_word_add(&bh_segment_row_mutable(segment, id).pointee.failed, 1)
}

/// Milliseconds until a server that has just been started has heard the others: that is not worth a line.
private let usualUnknown: UInt64 = 5000

/// The server has refused a request because it does not know this httpd. Returns for how many milliseconds it has done
/// so.
@inline(never)
private func noteUnknown(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, now: UInt64) -> UInt64 {
    let row = bh_segment_row_mutable(segment, id)
    let since = bh_word_load(&row.pointee.unknown_ms)
    let spent = since < now ? now &- since : 0
    let isOld = bh_half_set_bits(&row.pointee.doubts, bh_doubt_unknown()) & bh_doubt_unknown() != 0
    if !isOld || spent >= UInt64(BH_UNKNOWN_MS) { bh_word_store(&row.pointee.unknown_ms, now) }
    return isOld ? spent : 0
}

/// The server knows this httpd.
private func noteKnown(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32) {
    let row = bh_segment_row_mutable(segment, id)
    if bh_half_load(&row.pointee.doubts) & bh_doubt_unknown() != 0 {
        _ = bh_half_clear_bits(&row.pointee.doubts, bh_doubt_unknown())
    }
}
