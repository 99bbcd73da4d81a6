// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// The moderator looks through the pool of all children, once a second.
///
/// It takes one connection after the other out and puts it back, at the end of its queue, so that children miss one at
/// a time. It closes what the server is about to close or has closed, what the server can spare no more, and what is
/// left of servers that are gone. And it counts: a child that is killed between a message and its count would leave one
/// too many for ever.
struct PoolCheck {
    /// Messages that it looks at in one queue: more than the kernel lets wait there (a socket's buffer of 208 kB holds
    /// less than 300), so that a child that goes on and on with messages does not keep it.
    private static var mostLooked: Int { 512 }

    private let segment: UnsafeMutablePointer<bh_segment_t>
    private let pool: ConnectionPool?
    private let log: Log
    /// By row: how many were seen in this round.
    private var seen: [Int32]
    /// By row: by how much the count was wrong in the last round.
    private var off: [Int32]
    /// BH_COUNT_NOT_CONNECTIONS at the last line.
    private var told: UInt64 = 0
    private var lines = Minute()

    init(_ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>, _ log: Log) {
        self.segment = segment
        self.log = log
        pool = config.queues.map { ConnectionPool($0, segment) }
        let rows = pool?.isOpen == true ? Int(BH_ROWS) : 0
        seen = [Int32](repeating: 0, count: rows)
        off = seen
    }

    mutating func look(rows: UInt32, now: UInt64) {
        guard let pool, pool.isOpen, !seen.isEmpty else { return forgetCounts(rows: rows) }
        for row in seen.indices { seen[row] = 0 }
        for queue in 0..<UInt32(BH_POOLS) {
            let before = bh_pool_moves(segment, queue)
            lookThrough(pool, queue, now: now)
            guard bh_pool_moves(segment, queue) == before else { continue }
            for id in stride(from: queue, to: rows, by: Int(BH_POOLS)) { countAgain(id) }
        }
        tell(now: now)
    }

    private mutating func lookThrough(_ pool: ConnectionPool, _ queue: UInt32, now: UInt64) {
        for _ in 0..<Self.mostLooked {
            guard let received = pool.receive(queue) else { return }
            guard case .connection(var one) = received else { continue }
            // Seen in this round: all others are behind it.
            let isSecond = one.round_ms == now
            one.round_ms = now
            if !isSecond, !goesOn(pool, one, now: now) { continue }
            let change: Int32
            if pool.send(one) {
                closeDescriptor(one.fd)
                if isSecond { return }
                change = 1
            } else {
                pool.drop(one)
                change = isSecond ? -1 : 0
            }
            seen[Int(one.id)] &+= change
        }
    }

    /// Whether the connection goes on waiting; if not it is closed.
    private func goesOn(_ pool: ConnectionPool, _ one: bh_waiting_t, now: UInt64) -> Bool {
        let row = bh_segment_row_mutable(segment, one.id)
        var facts = bh_facts_t()
        let has = bh_row_heard(row) != 0 && bh_row_copy(row, &facts)
        let keeps = withUnsafePointer(to: facts) { pool.keep(one, for: has ? $0 : nil, now: now) }
        guard keeps else { return false }
        guard isOneTooMany(one.id) else { return true }
        pool.drop(one)
        return false
    }

    /// Whether the row's server can spare no more than others that are kept.
    private func isOneTooMany(_ id: UInt32) -> Bool {
        let may = bh_half_load(&bh_segment_row_mutable(segment, id).pointee.may_keep)
        return !bh_shared_has_room(segment, id, -1) || (may < UInt32(BH_KEEP_ONE) && bh_row_kept(segment, id) > may)
    }

    /// Mends the count of a row if it was wrong in the same way twice, and no child moved anything meanwhile.
    private mutating func countAgain(_ id: UInt32) {
        let row = Int(id)
        var difference = bh_shared_count(segment, id) &- seen[row]
        if difference != 0, difference == off[row], difference != .min {
            bh_shared_add(segment, id, -difference)
            difference = 0
        }
        off[row] = difference
    }

    /// One line a minute, with what was counted since the last.
    private mutating func tell(now: UInt64) {
        let counted = bh_counter_load(segment, BH_COUNT_NOT_CONNECTIONS.rawValue)
        guard counted != told, lines.isDue(now: now) else { return }
        log(
            BH_LOG_WARNING, LogNumber.notConnections,
            """
            {} times something was in the pool of all children that is not a connection to the server that it was put \
            there for: closed
            """, .number(counted &- told))
        told = counted
    }

    /// The configuration before had the pool: what waited has been closed with its last child.
    private func forgetCounts(rows: UInt32) {
        for id in 0..<rows {
            let waiting = bh_shared_waiting(segment, id)
            if waiting > 0 { bh_shared_add(segment, id, -Int32(clamping: waiting)) }
        }
    }
}
