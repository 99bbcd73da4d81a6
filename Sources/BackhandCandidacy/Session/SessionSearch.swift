// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand

extension Candidates {
    /// Keeps only the server that a session in the text names: a Cookie header, or a query. false: none does.
    ///
    /// - Parameter sessions: how our own cookies name servers; nil: the application's session ids do.
    @inline(never)
    mutating func keepSession(
        in text: UnsafePointer<CChar>?, separatedBy separator: UInt8, _ identifier: UnsafePointer<CChar>,
        _ sessions: UnsafePointer<bh_sessions_t>? = nil
    ) -> Bool {
        guard let text else { return false }
        var values = SessionValues(text, separatedBy: separator, identifier, isName: sessions != nil)
        while let value = values.nextValue() {
            guard let owner = sessions == nil ? SessionOwner(value) : SessionOwner(tag: value) else { continue }
            for place in 0..<count where owner.has(segment, list[place].row, sessions) {
                list[0] = list[place]
                count = 1
                return true
            }
            for id in 0..<bh_segment_rows(segment) where drains(id) && owner.has(segment, id, sessions) {
                keepDraining(id)
                return true
            }
        }
        return false
    }

    /// Whether the server takes no new clients, but those that it has.
    @inline(never)
    private func drains(_ id: UInt32) -> Bool {
        let row = bh_segment_row(segment, id)
        return bh_row_state(row) == BH_STATE_DRAINING.rawValue && admits(row, Int32(truncatingIfNeeded: id))
            && !bh_row_is_refusing(row, now) && isHeard(row, since: time(before: 6000))
    }

    private mutating func keepDraining(_ id: UInt32) {
        // As all others are asked.
        if count == 0 { append(0) }
        list[0].id = Int32(truncatingIfNeeded: id)
        count = 1
    }
}
