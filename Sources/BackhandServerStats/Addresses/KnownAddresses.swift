// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// The addresses from which servers may connect, besides those in their rows: what their other lines of MulticastStats
/// announce, and where announcements come from.
///
/// Kept with the rows, so that a new moderator has them; all addresses together are in the segment's hash table, which
/// children ask.
struct KnownAddresses {
    private struct Other {
        var address: bh_address_t
        /// When an announcement last came from it; CLOCK_MONOTONIC milliseconds.
        var heard: UInt64
    }

    private let segment: UnsafeMutablePointer<bh_segment_t>
    private var others: [[Other]]
    /// How many there are, by the moderator's own memory.
    var rows: UInt32
    /// Of the hash table that is read now.
    private var entries: UInt32 = 0
    private var slots: UInt32 = 0

    /// At least this many slots: a few servers then stay in a few cache lines.
    private static var fewest: UInt32 { 64 }

    /// Reads what a previous moderator has left.
    init(_ segment: UnsafeMutablePointer<bh_segment_t>, rows: UInt32) {
        self.segment = segment
        others = [[Other]](repeating: [], count: Int(BH_ROWS))
        self.rows = rows
        for id in 0..<rows {
            let heard = bh_row_heard(bh_segment_row(segment, id))
            guard heard != 0 else { continue }
            for number in 0..<UInt32(BH_OTHER_ADDRESSES) {
                let address = bh_row_other(segment, id, number)
                if !bh_address_is_zero(address) { others[Int(id)].append(Other(address: address, heard: heard)) }
            }
        }
    }

    /// The row's server announces the address too, or from it.
    ///
    /// - Parameter own: the address in the row.
    @inline(never)
    mutating func note(_ id: UInt32, _ address: bh_address_t, own: bh_address_t, now: UInt64) {
        guard address != own else { return }
        let place = Int(id)
        if let known = others[place].firstIndex(where: { $0.address == address }) {
            others[place][known].heard = now
            return
        }
        if others[place].count == Int(BH_OTHER_ADDRESSES) { removeOldest(place) }
        others[place].append(Other(address: address, heard: now))
        store(id)
        add(address)
    }

    private mutating func removeOldest(_ place: Int) {
        var oldest = 0
        for index in others[place].indices where others[place][index].heard < others[place][oldest].heard {
            oldest = index
        }
        others[place].remove(at: oldest)
    }

    /// The row has no server any more, or another one.
    mutating func forget(_ id: UInt32) {
        guard !others[Int(id)].isEmpty else { return }
        others[Int(id)].removeAll()
        store(id)
    }

    /// The server of a row is found in another row from now on: with all its addresses.
    mutating func move(from old: UInt32, _ address: bh_address_t, to id: UInt32, own: bh_address_t, now: UInt64) {
        let moved = others[Int(old)].map { $0.address }
        forget(old)
        note(id, address, own: own, now: now)
        for other in moved { note(id, other, own: own, now: now) }
    }

    /// Forgets other addresses that were silent since the given time; whether there were any.
    mutating func expire(since limit: UInt64) -> Bool {
        var any = false
        for place in others.indices where others[place].contains(where: { $0.heard <= limit }) {
            others[place].removeAll { $0.heard <= limit }
            store(UInt32(place))
            any = true
        }
        return any
    }

    /// Adds an address to the table that is read; a larger one takes its place when it is half full.
    mutating func add(_ address: bh_address_t) {
        guard !bh_segment_knows(segment, address) else { return }
        if slots < UInt32(BH_KNOWN_SLOTS), 2 * (entries + 1) > slots { return rebuild() }
        insert(address, into: bh_known_current(segment))
    }

    /// Makes the table again from all rows that have a server.
    mutating func rebuild() {
        var wanted: UInt32 = 0
        for id in 0..<rows where bh_row_heard(bh_segment_row(segment, id)) != 0 {
            wanted += 1 + UInt32(others[Int(id)].count)
        }
        slots = Self.fewest
        // Half of it may be added before the next time.
        while slots < 4 * wanted, slots < UInt32(BH_KNOWN_SLOTS) { slots *= 2 }
        let table = bh_known_begin(segment, slots)
        entries = 0
        for id in 0..<rows where bh_row_heard(bh_segment_row(segment, id)) != 0 {
            var address = bh_address_t()
            if bh_row_address(bh_segment_row(segment, id), &address) { insert(address, into: table) }
            for other in others[Int(id)] { insert(other.address, into: table) }
        }
        bh_known_commit(segment)
    }

    /// Above three quarters, probing takes long: what comes then has no place.
    private mutating func insert(_ address: bh_address_t, into table: UnsafeMutablePointer<bh_known_t>) {
        guard entries < slots / 4 * 3, bh_known_add(table, address) else { return }
        entries += 1
    }

    private func store(_ id: UInt32) {
        let known = others[Int(id)]
        for number in 0..<Int(BH_OTHER_ADDRESSES) {
            bh_row_set_other(
                segment, id, UInt32(number),
                number < known.count ? known[number].address : bh_address_t(high: 0, low: 0))
        }
    }
}
