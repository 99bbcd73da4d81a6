// Licensed under the Apache License, Version 2.0; see LICENSE.

/// When the next announcement is due. Milliseconds of CLOCK_MONOTONIC.
///
/// Ticks are multiples of the interval after the first one, however late each was served; after a stall the missed ones
/// are left out instead of being made up for in a burst.
struct Ticker {
    let interval: UInt64
    private(set) var next: UInt64

    /// The first tick is due at once.
    init(interval: UInt64, now: UInt64) {
        self.interval = max(interval, 1)
        next = now
    }

    /// Whether a tick is due; if so, the next one is in the future afterwards.
    mutating func take(now: UInt64) -> Bool {
        guard now >= next else { return false }
        let missed = (now - next) / interval
        next &+= (missed &+ 1) &* interval
        return true
    }

    /// Milliseconds until the next tick.
    func wait(now: UInt64) -> UInt64 {
        next > now ? next - now : 0
    }
}
