// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Whether all servers fail their checks, and whether that is worth a line: then what fails is not the servers, but
/// something that all of them use.
///
/// It is told once for each time that all of them fail, and at most once a minute. It is not told at once, because
/// others may not have been heard yet.
struct CommonFailure {
    /// Milliseconds for which all must have failed: three announcements.
    static var certainty: UInt64 { 3000 }

    /// Since when they do; nil: some pass.
    private var since: UInt64?
    private var toldAt: UInt64?

    /// True if a line is due.
    ///
    /// - Parameters:
    ///   - checked: servers that have checks. One alone fails alone.
    ///   - now: CLOCK_MONOTONIC milliseconds.
    mutating func look(checked: UInt64, failing: UInt64, now: UInt64) -> Bool {
        guard checked > 1, failing == checked else {
            since = nil
            return false
        }
        let begun = since ?? now
        since = begun
        if now < begun &+ Self.certainty { return false }
        if let toldAt, toldAt >= begun || now < toldAt &+ ServerNews.quiet { return false }
        toldAt = now
        return true
    }
}
