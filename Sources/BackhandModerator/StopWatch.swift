// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// Finds out whether httpd is stopping, from what little there is to see of it.
///
/// No hook of httpd's parent runs between its stop signal and the closing of its listeners. Its children are told to end, and leave a word
/// in the segment. That may mean less, because a child too many ends too. So a graceful end is only a reason to look whether the port
/// is closed. An end at once is believed, because the port stays open while nobody serves; it is not any more if there are idle workers after a while.
struct StopWatch {
    /// Milliseconds after a child's word in which evidence is looked for: all children hear of a stop within moments of each other.
    static var attention: UInt64 { 2000 }

    enum State: Equatable {
        case open
        /// A child ends: the port may close any moment.
        case suspicious(since: UInt64)
        /// Children end at once.
        case ending(since: UInt64)
        /// The port is closed, or will be in a moment.
        case closed
    }

    private(set) var state = State.open
    /// When to look again.
    private var next: UInt64 = 0

    /// Whether requests will not be taken any more.
    var isLeaving: Bool {
        switch state {
        case .open, .suspicious: false
        case .ending, .closed: true
        }
    }

    /// Looks at a child's word, a bh_stopping_t; false if it turned out to mean nothing, and is to be taken back.
    ///
    /// - Parameters:
    ///   - isClosed: whether the port is.
    ///   - serves: whether there are idle workers.
    mutating func look(word: UInt32, now: UInt64, isClosed: () -> Bool, serves: () -> Bool) -> Bool {
        if word == BH_STOPPING_NOW.rawValue, !isLeaving {
            state = .ending(since: now)
        } else if word == BH_STOPPING_GRACEFUL.rawValue, state == .open {
            state = .suspicious(since: now)
        } else if now < next {
            return true
        }
        switch state {
        case .open, .closed: break
        case .suspicious(let since):
            // Soon at first: after 2, 3, 5, 7, 11 ms and so on, about fifteen times.
            next = now &+ 2 &+ (now &- since) / 2
            // Each look at the port is a connection, of which children may have only so many: none while somebody serves for sure.
            if !serves(), isClosed() { state = .closed } else if now >= since &+ Self.attention { state = .open }
        case .ending(let since):
            next = max(now, since) &+ Self.attention
            if now >= since &+ Self.attention, serves(), !isClosed() { state = .open }
        }
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
        case .suspicious, .ending: next > now ? next - now : 0
        }
    }
}
