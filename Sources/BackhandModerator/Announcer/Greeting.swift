// Licensed under the Apache License, Version 2.0; see LICENSE.

/// An announcement out of turn, for a server that was just started: until it has heard us, it does not take requests
/// from us.
///
/// A value: the moderator sends.
struct Greeting {
    /// Fewest milliseconds between two: servers that start together cost one announcement more, not one each. In a
    /// large cluster as many as it has servers, so that all of them send two announcements a millisecond at most.
    private static var pause: UInt64 { 50 }
    /// When the next one is due; nil: there is no server to greet.
    private var due: UInt64?
    private var last: UInt64?

    /// A server has come. In a large cluster, not all may greet it at once, or its socket's buffer would overflow: four
    /// each millisecond.
    ///
    /// - Parameters:
    ///   - us: our boot id: a number that each server has another of.
    ///   - servers: how many there are.
    mutating func begin(now: UInt64, us: UInt64, servers: UInt32) {
        guard due == nil else { return }
        let soonest = now &+ us % UInt64(max(servers, 1)) / 4
        due = max(soonest, last.map { $0 &+ max(Self.pause, UInt64(servers)) } ?? 0)
    }

    /// Whether one is due now.
    mutating func take(now: UInt64) -> Bool {
        guard let due, now >= due else { return false }
        self.due = nil
        last = now
        return true
    }

    /// Milliseconds until the next one; nil if there is none.
    func wait(now: UInt64) -> UInt64? {
        due.map { $0 > now ? $0 - now : 0 }
    }
}
