// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Decides when a line of one kind may be written again: at most once a minute, so that nothing can flood the log.
struct Minute {
    private static var length: UInt64 { 60_000 }

    /// When the next line may be written; 0: at once. CLOCK_MONOTONIC milliseconds.
    private var silentUntil: UInt64 = 0
    /// Events since the last line.
    private var untold: UInt64 = 0

    /// Notes one event; returns how many there were since the last line if a line is due, else nil.
    mutating func note(now: UInt64) -> UInt64? {
        untold &+= 1
        guard now >= silentUntil else { return nil }
        silentUntil = now &+ Self.length
        defer { untold = 0 }
        return untold
    }

    /// Whether a line is due; if so, the next is in a minute.
    mutating func isDue(now: UInt64) -> Bool { note(now: now) != nil }
}
