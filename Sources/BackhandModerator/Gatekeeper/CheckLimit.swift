// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// How many signatures are checked: a flood, as fast as today's networks are, takes only a part of a core, and
/// beyond them some of each sender.
struct CheckLimit {
    /// A check takes a microsecond a key: this is a tenth or a fifth of a core.
    private var all = TokenBucket(burst: 10_000, interval: 1, portion: 100, now: 0)
    /// No sender can use these up for others: twice what 32 httpds at one address say in a second, at their farewell
    /// too.
    private var senders: TokenSketch

    init(secret: UInt64) {
        senders = TokenSketch(burst: 128, interval: 15, secret: secret)
    }

    mutating func take(_ sender: bh_address_t, now: UInt64) -> Bool {
        all.take(now: now) || senders.take(key(sender), now: now)
    }
}
