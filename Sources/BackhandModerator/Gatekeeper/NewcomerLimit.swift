// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// How many new servers one sender may bring: so that no single host can fill the table.
struct NewcomerLimit {
    /// More httpds than a machine has ports for in practice; one more each ten seconds. With the default of
    /// BackhandExpire a sender holds at most 392 rows of 2047.
    private static var burst: UInt64 { 32 }
    private static var interval: UInt64 { 10_000 }
    /// Twice as many as the table has rows: all servers of a full one may be new at once.
    private static var mostSenders: Int { 2 * Int(BH_ROWS) }
    /// Looking for senders to forget takes longer than the rest.
    private static var tidying: UInt64 { 1000 }

    /// For each sender the time when it may bring a whole burst again: all of a bucket of tokens in one number. A new
    /// sender moves up to 128 kB of entries; no more than mostSenders can be new in one interval.
    private var whole = SortedTable()
    private var tidiedAt: UInt64?

    /// Whether the sender may bring one more now.
    mutating func admit(_ sender: bh_address_t, now: UInt64) -> Bool {
        let key = TableKey(sender)
        let known = whole[key]
        guard known != nil || makeRoom(now) else { return false }
        let before = max(known ?? now, now)
        guard before - now <= (Self.burst - 1) * Self.interval else { return false }
        whole[key] = before &+ Self.interval
        return true
    }

    /// Forgets senders that have brought no new server for a while, if there are too many.
    private mutating func makeRoom(_ now: UInt64) -> Bool {
        guard whole.count >= Self.mostSenders else { return true }
        guard tidiedAt.map({ now >= $0 &+ Self.tidying }) ?? true else { return false }
        tidiedAt = now
        whole.remove(upTo: now)
        return whole.count < Self.mostSenders
    }
}
