// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Finds out whether httpd is stopping, from what little there is to see of it.
///
/// No hook of httpd's parent runs between its stop signal and the closing of its listeners. At a stop at once the
/// parent signals the moderator before anything else, which is proof. At a graceful stop the children are told to end,
/// and leave a word in the segment. The word may mean less, because a child that is one too many, has had its
/// MaxConnectionsPerChild or was killed ends in the same way. So it is only a reason to look whether the port is
/// closed.
struct ShutdownDetector {
    /// Milliseconds after a child's word in which evidence is looked for: all children hear of a stop within moments of
    /// each other.
    static var attention: UInt64 { 2000 }

    enum State: Equatable {
        case open
        /// A child ends: the port may close any moment.
        case suspicious(since: UInt64)
        /// The port is closed, or will be in a moment.
        case closed
    }

    private(set) var state = State.open
    /// When to look again.
    private var next: UInt64 = 0

    /// Whether requests will not be taken any more.
    var isShuttingDown: Bool { state == .closed }

    /// Looks at a child's word; false if it turned out to mean nothing, and is to be taken back.
    ///
    /// - Parameters:
    ///   - isChildEnding: whether a child has left its word.
    ///   - isClosed: whether the port is.
    mutating func look(isChildEnding: Bool, now: UInt64, isClosed: () -> Bool) -> Bool {
        if isChildEnding, state == .open { (state, next) = (.suspicious(since: now), now) }
        guard case .suspicious(let since) = state else { return state != .open }
        guard now >= next else { return true }
        // Soon at first: after 2, 3, 5, 7, 11 ms and so on, about fifteen times.
        next = now &+ 2 &+ (now &- since) / 2
        if isClosed() { state = .closed } else if now &- since >= Self.attention { state = .open }
        return state != .open
    }

    /// The moderator itself was told to end, because httpd stops.
    mutating func close() {
        state = .closed
    }

    /// Milliseconds until the next look; nil if none is needed.
    func wait(now: UInt64) -> UInt64? {
        switch state {
        case .open, .closed: nil
        case .suspicious: next > now ? next - now : 0
        }
    }
}
