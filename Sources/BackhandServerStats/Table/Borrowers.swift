// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Members that announce nothing themselves, but have the address of a server that does: php-fpm beside an httpd. What
/// that server announces of its machine counts for them too, until it leaves or they announce themselves.
///
/// Of several such servers at one address, the first one that is heard counts.
struct Borrowers {
    private let segment: UnsafeMutablePointer<bh_segment_t>
    /// Rows of members.
    private var rows: [UInt32] = []

    init(_ segment: UnsafeMutablePointer<bh_segment_t>) { self.segment = segment }

    /// Reads which rows belong to members. What a former moderator has written there stays where it still holds.
    mutating func begin(_ index: RowIndex) {
        rows = (1..<index.used).filter { index.isMember($0) }
        for id in 1..<index.used {
            let lender = bh_segment_lender(segment, id)
            if lender != 0, !index.isMember(id) || lender > index.used || !isHeard(lender - 1) || isHeard(id) {
                release(id)
            }
        }
    }

    /// The server of a row has announced itself.
    func lend(from lender: UInt32, _ facts: bh_facts_t, _ index: RowIndex, now: UInt64) {
        for id in rows {
            if id == lender { release(id) }
            guard !isHeard(id), let place = index[id].endpoint?.address,
                place == facts.address || (lender == 0 && isHere(place)),
                [0, lender + 1].contains(bh_segment_lender(segment, id))
            else { continue }
            write(facts, to: id, of: lender, now: now)
        }
    }

    /// The row's server is not heard there any more.
    func forget(_ lender: UInt32) {
        for id in rows where bh_segment_lender(segment, id) == lender + 1 { release(id) }
    }

    /// Whether it is 127.0.0.1 or ::1, which "localhost" stands for.
    private func isHere(_ address: bh_address_t) -> Bool {
        address.high == 0 && (address.low == 1 || address.low == 0xffff_7f00_0001)
    }

    private func isHeard(_ id: UInt32) -> Bool { bh_row_heard(bh_segment_row(segment, id)) != 0 }

    private func release(_ id: UInt32) {
        bh_segment_set_lender(segment, id, 0)
        if !isHeard(id) { bh_word_store(&bh_segment_row_mutable(segment, id).pointee.first_heard_ms, 0) }
    }

    /// The facts of the machine, and when they were heard. Its server's workers, requests and state are not the
    /// member's.
    private func write(_ facts: bh_facts_t, to id: UInt32, of lender: UInt32, now: UInt64) {
        let row = bh_segment_row_mutable(segment, id)
        var own = bh_facts_t()
        guard bh_row_copy(row, &own) else { return }
        (own.arriba, own.ncpu, own.capacity) = (facts.arriba, facts.ncpu, facts.capacity)
        (own.load, own.load_hwm, own.cpu) = (facts.load, facts.load_hwm, facts.cpu)
        (own.total_memory, own.free_memory) = (facts.total_memory, facts.free_memory)
        bh_row_store(row, &own)
        publishFacts(own, to: bh_segment_public_mutable(segment, id))
        bh_word_store(&row.pointee.first_heard_ms, max(now, 1))
        bh_segment_set_lender(segment, id, lender + 1)
    }
}
