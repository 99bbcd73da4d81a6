// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Allows a burst and then a steady rate. Milliseconds of CLOCK_MONOTONIC.
struct TokenBucket {
    let burst: UInt64
    /// Milliseconds for the next tokens.
    let interval: UInt64
    /// How many come at once.
    let portion: UInt64
    private var tokens: UInt64
    /// When the tokens were last counted.
    private var counted: UInt64

    init(burst: UInt64, interval: UInt64, portion: UInt64 = 1, now: UInt64) {
        self.burst = burst
        self.interval = max(interval, 1)
        self.portion = max(portion, 1)
        tokens = burst
        counted = now
    }

    /// Takes a token; false if there is none.
    mutating func take(now: UInt64) -> Bool {
        refill(now)
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
    }

    mutating func isEmpty(now: UInt64) -> Bool {
        refill(now)
        return tokens == 0
    }

    private mutating func refill(_ now: UInt64) {
        guard now > counted else { return }
        let times = (now - counted) / interval
        let (more, overflow) = times.multipliedReportingOverflow(by: portion)
        guard !overflow, more < burst - tokens else {
            tokens = burst
            counted = now
            return
        }
        tokens += more
        counted += times * interval
    }
}
