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

    private var buckets: [bh_address_t: TokenBucket] = [:]
    private var tidiedAt: UInt64?

    /// Whether the sender may bring one more now.
    mutating func admit(_ sender: bh_address_t, now: UInt64) -> Bool {
        if buckets[sender] == nil {
            guard makeRoom(now) else { return false }
            buckets[sender] = TokenBucket(burst: Self.burst, interval: Self.interval, now: now)
        }
        return buckets[sender]?.take(now: now) ?? false
    }

    /// Forgets those who have brought nobody for a while, if there are too many.
    private mutating func makeRoom(_ now: UInt64) -> Bool {
        guard buckets.count >= Self.mostSenders else { return true }
        guard tidiedAt.map({ now >= $0 &+ Self.tidying }) ?? true else { return false }
        tidiedAt = now
        for sender in Array(buckets.keys) where buckets[sender]?.isFull(now: now) == true {
            buckets[sender] = nil
        }
        return buckets.count < Self.mostSenders
    }
}
