// Licensed under the Apache License, Version 2.0; see LICENSE.

/// When a server that leaves says so: at once and then twice more, because datagrams get lost.
struct Farewell {
    /// Times that it is said.
    static var times: Int { 3 }
    /// Milliseconds between two of them: a lost one costs little, and a burst that loses one does not lose all. A
    /// moderator that has been told to end must be gone within 50 ms.
    static var interval: UInt64 { 15 }

    private(set) var left = 0
    private var next: UInt64 = 0

    /// Begins again.
    mutating func begin(now: UInt64) {
        left = Self.times
        next = now
    }

    /// Whether it is to be said now.
    mutating func take(now: UInt64) -> Bool {
        guard left > 0, now >= next else { return false }
        left -= 1
        next = now &+ Self.interval
        return true
    }

    /// Milliseconds until the next time; nil if it was said often enough.
    func wait(now: UInt64) -> UInt64? {
        guard left > 0 else { return nil }
        return next > now ? next - now : 0
    }
}
