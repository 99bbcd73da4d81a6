// Licensed under the Apache License, Version 2.0; see LICENSE.

/// How long an announcement may have been kept back before its server has to prove itself; milliseconds.
let keptBackLimit = Int64(3000)

/// A server's clock as it is seen here: an announcement that comes later than its time of sending says was kept back on
/// the way.
///
/// Set by the announcement that came soonest, and again by one that has proved itself although it was late.
/// Milliseconds; our clock is CLOCK_MONOTONIC.
struct PeerClock: Equatable {
    /// Our clock minus the server's, modulo 2^64: only differences of it mean anything.
    private(set) var ahead: UInt64

    init(ahead: UInt64) {
        self.ahead = ahead
    }

    init(sent: UInt64, now: UInt64) {
        ahead = now &- sent
    }

    /// How much later than the soonest it comes; negative: sooner.
    func lateness(of sent: UInt64, now: UInt64) -> Int64 {
        Int64(bitPattern: now &- sent &- ahead)
    }

    /// Notes an announcement that is accepted.
    mutating func take(_ sent: UInt64, now: UInt64) {
        let late = lateness(of: sent, now: now)
        if late < 0 || late >= keptBackLimit { self = PeerClock(sent: sent, now: now) }
    }
}
