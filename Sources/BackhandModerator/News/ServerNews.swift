// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// How a server stands, as far as it is worth a line when it changes.
enum Standing: UInt8, Equatable {
    /// The row is empty, or the httpd itself.
    case absent
    case well
    /// Not heard for ``silence`` milliseconds.
    case silent
    /// Its httpd stops.
    case shutdown
    /// Left out, because it refused connections.
    case backoff
    /// Half of its last requests failed, or more, or its own checks say that it does not work.
    case failing

    /// byAge's limit in the recommended chain, milliseconds: from then on most chains leave a server out.
    static var silence: UInt64 { UInt64(BH_LIFE_SILENT_MS) }

    /// The kind of line that a change to this standing has, as an index: a server that joins is another kind than one
    /// that is back.
    func kind(from: Standing) -> Int {
        self == .well && from == .absent ? Int(Self.failing.rawValue) + 1 : Int(rawValue)
    }
}

/// A server as the table shows it at one look.
struct SeenServer: Equatable {
    var standing = Standing.absent
    var address = bh_address_t()
    var port = UInt16(0)
    /// Milliseconds since its last announcement.
    var age = UInt64(0)
    /// Milliseconds for which it is left out; of a back-off that began and ended between two looks, for which it was.
    var backoff = UInt64(0)
    /// Share of its last requests that failed, per cent.
    var failures = UInt64(0)
    /// What its own checks have found, as bh_facts_t has it.
    var check = UInt32(0)
}

extension SeenServer {
    /// Whether the row has got another server meanwhile.
    func isAnother(than other: SeenServer) -> Bool {
        standing != .absent && other.standing != .absent && (address != other.address || port != other.port)
    }

    /// Whether the difference is worth a line.
    func isTold(from other: SeenServer) -> Bool { standing != other.standing || isAnother(than: other) }
}

/// A change of one server that is worth a line.
struct ServerChange: Equatable {
    var id: UInt32
    var from: Standing
    var seen: SeenServer
    /// Where the server was, for one that is gone.
    var before: SeenServer
    /// Earlier changes of this server that got no line since its last one.
    var untold: UInt32
}

/// Decides which changes of the table become lines: a flapping server has one a minute for each kind, with a count, and
/// after ten lines in ten seconds the rest of them become one. What the log says last of a server becomes true: a
/// change that stays is told once the minute is over.
struct ServerNews {
    /// Milliseconds in which one server has one line of a kind.
    static var quiet: UInt64 { 60_000 }
    /// Milliseconds of a window, and lines that it has room for: a rack that starts or dies is one event, not a
    /// hundred.
    static var window: UInt64 { 10_000 }
    static var most: Int { 10 }

    /// Milliseconds of the back-off that the last look could not see, or that lasts; 0: there is none.
    ///
    /// The shortest ones last as long as the time between two looks, and less than that on a busy machine.
    ///
    /// - Parameters:
    ///   - until: its end, as it stands in the row: a child's word.
    ///   - refused: refusals in a row, a child's word too: its span doubles with each.
    ///   - last: when the row was looked at before.
    static func backoff(until: UInt64, refused: UInt32, last: UInt64, now: UInt64) -> UInt64 {
        let left = bh_backoff_left(until, now)
        if left > 0 { return left }
        guard until > last, until <= now else { return 0 }
        let span = UInt64(BH_BACKOFF_MIN_MS) << UInt64(min(max(refused, 1) - 1, UInt32(BH_BACKOFF_DOUBLINGS)))
        return min(span, until - last)
    }

    private struct Known {
        var seen = SeenServer()
        /// As the log has it: by its own last line, or counted in one for many; what was found at the start needs none.
        var told = SeenServer()
        /// When the kind may have its next line; CLOCK_MONOTONIC milliseconds, by kind.
        var next = InlineArray<7, UInt64>(repeating: 0)
        /// Changes since the last line.
        var untold = UInt32(0)
    }

    private var known = [Known](repeating: Known(), count: Int(BH_ROWS))
    private var windowEnd = UInt64(0)
    private var told = 0
    private var rest = InlineArray<7, UInt32>(repeating: 0)

    /// Takes the row as it is: what a moderator finds in the table at its start is not a change.
    mutating func adopt(_ id: UInt32, _ seen: SeenServer) {
        known[Int(id)].seen = seen
        known[Int(id)].told = seen
    }

    /// Looks at a row; returns how it differs from what the log says, if that is to have a line now.
    mutating func look(_ id: UInt32, _ seen: SeenServer, now: UInt64) -> ServerChange? {
        if known[Int(id)].seen.isTold(from: seen) { known[Int(id)].untold &+= 1 }
        known[Int(id)].seen = seen
        let before = known[Int(id)].told
        guard before.isTold(from: seen) else { return nil }
        let from = before.isAnother(than: seen) ? Standing.absent : before.standing
        let kind = seen.standing.kind(from: from)
        guard now >= known[Int(id)].next[kind] else { return nil }
        known[Int(id)].told = seen
        guard hasRoom(now: now) else {
            rest[kind] &+= 1
            return nil
        }
        known[Int(id)].next[kind] = now &+ Self.quiet
        defer { known[Int(id)].untold = 0 }
        return ServerChange(id: id, from: from, seen: seen, before: before, untold: max(known[Int(id)].untold, 1) &- 1)
    }

    /// What got no line because there were too many, by kind, once the window is over; nil: nothing.
    mutating func takeRest(now: UInt64) -> InlineArray<7, UInt32>? {
        guard now >= windowEnd else { return nil }
        let result = rest
        rest = InlineArray(repeating: 0)
        for index in result.indices where result[index] > 0 { return result }
        return nil
    }

    private mutating func hasRoom(now: UInt64) -> Bool {
        if now >= windowEnd {
            windowEnd = now &+ Self.window
            told = 0
        }
        told += 1
        return told <= Self.most
    }
}
