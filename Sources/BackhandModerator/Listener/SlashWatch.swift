// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// Decides when another server's AllowEncodedSlashes and MergeSlashes are worth a line: when they have differed from
/// ours for ten minutes, so that a change on one server after the other is none. Once for each pair of values: a
/// cluster of fifty differs no more than one of two.
struct SlashWatch {
    /// Milliseconds for which they must differ.
    static var patience: UInt64 { 600_000 }

    /// By row: since when they differ, CLOCK_MONOTONIC milliseconds; 0: they do not.
    private var since = [UInt64](repeating: 0, count: Int(BH_ROWS))
    /// Bits of the pairs that have had their line.
    private var told: UInt32 = 0

    /// Looks at what a server has announced. What is not known is not compared.
    ///
    /// - Parameter isAnother: whether this is the first announcement of an httpd in the row.
    mutating func isDue(_ row: UInt32, _ theirs: Slashes, ours: Slashes, isAnother: Bool, now: UInt64) -> Bool {
        let row = Int(row)
        guard since.indices.contains(row) else { return false }
        guard theirs.value != 0, ours.value != 0, theirs != ours else {
            since[row] = 0
            return false
        }
        if isAnother || since[row] == 0 { since[row] = max(now, 1) }
        let bit = UInt32(1) << ((theirs.value >> 8) * 3 + theirs.value & 0xff)
        guard now >= since[row] &+ Self.patience, told & bit == 0 else { return false }
        told |= bit
        return true
    }
}
