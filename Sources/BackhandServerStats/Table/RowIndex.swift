// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Where a server takes requests: what makes two announcements the same server.
struct Endpoint: Equatable {
    var address: bh_address_t
    var port: UInt16

    init(address: bh_address_t, port: UInt16) {
        self.address = address
        self.port = port
    }

    init(_ facts: bh_facts_t) {
        address = facts.address
        port = facts.port
    }

    var key: TableKey { TableKey(address, port: port) }
}

/// What the writer remembers of one row, in the moderator's own memory: finding a row reads no shared cache line.
struct Known {
    /// nil: the row is empty.
    var endpoint: Endpoint?
    var bootID: UInt64 = 0
    /// Of the last announcement with this boot id.
    var sequence: UInt64 = 0
    /// Of the server with this boot id.
    var clock = PeerClock(ahead: 0)
    /// When an announcement last named the row's own endpoint; CLOCK_MONOTONIC milliseconds.
    var endpointHeard: UInt64 = 0
    /// The row's heard_ms; 0: empty.
    var heard: UInt64 = 0
    /// Whether its boot id has answered a challenge.
    var isProven = false
    /// Whether it waits for another server.
    var isFree = false
    /// Whether the configuration names its server: no other one gets the row.
    var isMember = false
}

/// A row that has no server any more.
struct FreeRow {
    var id: UInt32
    /// When its server was last in it, or last heard; CLOCK_MONOTONIC milliseconds.
    var since: UInt64
}

/// Which row is which server's. A value of the moderator's memory, made again from the segment by each new moderator.
struct RowIndex {
    private(set) var known: [Known]
    /// Rows that are or were in use, with row 0. Read from the segment once: children's processes may write there.
    private(set) var used: UInt32
    /// Both have at most one entry for each row.
    private var byEndpoint = SortedTable(room: Int(BH_ROWS))
    private var byBoot = SortedTable(room: Int(BH_ROWS))
    /// In the order in which they became free.
    private var free: [FreeRow] = []

    /// Reads the rows that are in use. Row 0 is our own and is never found.
    ///
    /// Of an empty row it is not known how long it has been empty: as if its predecessor's last act had emptied it.
    init(_ segment: UnsafeMutablePointer<bh_segment_t>) {
        known = [Known](repeating: Known(), count: Int(BH_ROWS))
        used = max(1, bh_segment_rows(segment))
        for id in 1..<used {
            let row = bh_segment_row(segment, id)
            let heard = bh_row_heard(row)
            var facts = bh_facts_t()
            known[Int(id)].isMember = bh_row_is_member(row)
            guard heard != 0 || known[Int(id)].isMember else {
                setFree(id, since: bh_word_load(&segment.pointee.beat_ms))
                continue
            }
            known[Int(id)].heard = heard
            guard bh_row_copy(row, &facts) else { continue }
            assign(id, endpoint: Endpoint(facts), facts, now: heard)
            known[Int(id)].endpointHeard = heard
            known[Int(id)].clock = PeerClock(ahead: facts.clock_ms)
            known[Int(id)].isProven = facts.proven != 0
            if heard == 0 { forgetBoot(id) }
        }
    }

    func row(of endpoint: Endpoint) -> UInt32? { row(endpoint.key, byEndpoint) }
    func row(ofBoot bootID: UInt64) -> UInt32? { row(TableKey(bootID: bootID), byBoot) }
    subscript(id: UInt32) -> Known { known[Int(id)] }
    func isMember(_ id: UInt32) -> Bool { known[Int(id)].isMember }

    private func row(_ key: TableKey, _ table: SortedTable) -> UInt32? {
        table[key].map { UInt32(truncatingIfNeeded: $0) }
    }

    /// Notes what an announcement said of the row, and under which names it is found from now on.
    ///
    /// A server that changed its address may have left its boot id in the old row: the row with the higher sequence has
    /// it.
    ///
    /// - Parameters:
    ///   - endpoint: the row's own, which may not be the announcement's.
    ///   - clock: of the same server in another row; nil: it was in none.
    mutating func assign(_ id: UInt32, endpoint: Endpoint, _ facts: bh_facts_t, clock: PeerClock? = nil, now: UInt64) {
        let old = known[Int(id)]
        used = max(used, id + 1)
        let (bootID, sequence) = (facts.boot_id, facts.sequence)
        if let place = old.endpoint {
            if place != endpoint { forget(place, id) }
            if old.bootID != bootID { forgetBoot(id) }
        }
        if old.endpoint != endpoint { byEndpoint[endpoint.key] = UInt64(id) }
        let other = row(ofBoot: bootID)
        if other.map({ $0 != id && known[Int($0)].sequence <= sequence }) ?? true {
            byBoot[TableKey(bootID: bootID)] = UInt64(id)
        }
        known[Int(id)].endpoint = endpoint
        known[Int(id)].bootID = bootID
        known[Int(id)].sequence = sequence
        known[Int(id)].heard = now
        if old.endpoint == nil || old.bootID != bootID {
            known[Int(id)].clock = clock ?? PeerClock(sent: facts.sent_ms, now: now)
            known[Int(id)].isProven = false
        }
        known[Int(id)].clock.take(facts.sent_ms, now: now)
    }

    /// The row's server is found elsewhere from now on, or nowhere; another may get the row. That of a server that the
    /// configuration names is still found by its address and port, and no other server gets it.
    ///
    /// - Parameter since: when a request may last have chosen the row for its old server.
    mutating func retire(_ id: UInt32, since: UInt64) {
        let old = known[Int(id)]
        forgetBoot(id)
        known[Int(id)].heard = 0
        if old.isMember { return }
        if let place = old.endpoint { forget(place, id) }
        known[Int(id)] = Known()
        setFree(id, since: since)
    }

    private mutating func setFree(_ id: UInt32, since: UInt64) {
        known[Int(id)].isFree = true
        free.append(FreeRow(id: id, since: since))
    }

    /// Takes the first row to become free of those that were so by the given time and whose requests are over: a tunnel
    /// to the server that one row had, which may last for days, keeps no other row from a new server.
    mutating func takeFree(since limit: UInt64, idle: (UInt32) -> Bool) -> UInt32? {
        for place in 0..<free.count {
            let row = free[place]
            guard row.since <= limit, idle(row.id) else { continue }
            free.remove(at: place)
            known[Int(row.id)].isFree = false
            return row.id
        }
        return nil
    }

    /// The row's boot id has answered a challenge.
    mutating func prove(_ id: UInt32) {
        known[Int(id)].isProven = true
    }

    /// What its boot id has proved counts no more.
    mutating func unprove(_ id: UInt32) {
        known[Int(id)].isProven = false
    }

    /// Forgets the row's boot id, but not where its server is.
    @inline(never)
    mutating func forgetBoot(_ id: UInt32) {
        let key = TableKey(bootID: known[Int(id)].bootID)
        if byBoot[key] == UInt64(id) { byBoot[key] = nil }
    }

    /// The row is not found at the endpoint any more.
    private mutating func forget(_ endpoint: Endpoint, _ id: UInt32) {
        if byEndpoint[endpoint.key] == UInt64(id) { byEndpoint[endpoint.key] = nil }
    }

    /// The rows whose servers were last heard at the given time or before.
    func silent(since limit: UInt64) -> [UInt32] {
        (1..<UInt32(BH_ROWS)).filter { known[Int($0)].heard != 0 && known[Int($0)].heard <= limit }
    }

    /// An announcement named the row's own endpoint.
    mutating func hearEndpoint(_ id: UInt32, now: UInt64) {
        known[Int(id)].endpointHeard = now
    }

    /// The row heard least recently among those silent since the given time whose requests are over; nil if there is
    /// none.
    func longestSilent(since limit: UInt64, idle: (UInt32) -> Bool) -> UInt32? {
        var found: UInt32?
        var oldest = UInt64.max
        for id in 1..<UInt32(BH_ROWS) {
            let heard = known[Int(id)].heard
            if !known[Int(id)].isFree, !known[Int(id)].isMember, heard <= limit, heard < oldest, idle(id) {
                (found, oldest) = (id, heard)
            }
        }
        return found
    }
}
