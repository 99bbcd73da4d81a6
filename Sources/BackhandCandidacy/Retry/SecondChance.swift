// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

// If no other server is left, some are asked once more, over a new connection:
// - those that closed a reused connection, which may not have had the request;
// - those that did not know this httpd;
// - those that were restarted meanwhile, because another process answers now;
// - those that have answered other requests since;
// - those that could not be reached, and were heard since.

extension RetryPolicy {
    /// How often servers may have a second chance: more than once only those that have worked since, so that a client
    /// of servers that only announce does not wait for each of them again and again.
    static let mostChances: UInt32 = 3

    /// Forgets that these servers have failed the request; false if there are none, or if it is too late.
    func grantSecondChances() -> Bool {
        guard retry.pointee.chances < Self.mostChances, retry.pointee.rules.repeatable, !isLate else { return false }
        var kept: UInt32 = 0
        for place in 0..<retry.pointee.tried_count {
            let id = bh_retry_id(retry, place).pointee
            let tried = bh_retry_of(retry, place).pointee
            if deserves(id, tried) { continue }
            bh_retry_id(retry, kept).pointee = id
            bh_retry_of(retry, kept).pointee = tried
            kept &+= 1
        }
        guard kept < retry.pointee.tried_count else { return false }
        retry.pointee.chances &+= 1
        retry.pointee.tried_count = kept
        return true
    }

    private func deserves(_ id: UInt32, _ tried: bh_tried_t) -> Bool {
        let row = bh_segment_row(segment, id)
        if isRestarted(row, tried) || bh_word_load(&bh_segment_row_mutable(segment, id).pointee.served) != tried.served
        {
            return true
        }
        guard retry.pointee.chances == 0 else { return false }
        if tried.marks & (BH_TRIED_CLOSED_REUSED.rawValue | BH_TRIED_UNKNOWN.rawValue) != 0 { return true }
        // Its network may be back, or its address was another.
        return tried.marks & BH_TRIED_UNREACHED.rawValue != 0 && bh_row_heard(row) > tried.asked_ms
    }

    /// Whether another httpd is there now than the one that was asked.
    private func isRestarted(_ row: UnsafePointer<bh_row_t>, _ tried: bh_tried_t) -> Bool {
        var facts = bh_facts_t()
        return bh_row_heard(row) != 0 && bh_row_copy(row, &facts) && facts.boot_id != tried.boot_id
    }
}
