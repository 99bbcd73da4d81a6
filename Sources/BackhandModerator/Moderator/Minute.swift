// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Decides when a line of one kind may be written again.
struct Minute {
    private var silentUntil: UInt64 = 0

    /// Whether one is due; if so, the next is in a minute.
    mutating func isDue(now: UInt64) -> Bool {
        guard now >= silentUntil else { return false }
        silentUntil = now &+ 60_000
        return true
    }
}
