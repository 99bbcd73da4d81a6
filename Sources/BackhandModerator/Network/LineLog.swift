// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What is said of the lines of MulticastStats: one log line when a network is down, one when it is back, and no more
/// than one loss a minute for each.
struct LineLog {
    enum News: Equatable {
        /// It works for the first time.
        case begins
        /// It does not work, and that happened this many times since the last line about it.
        case down(Obstacle, times: Int)
        case back
    }

    private struct Line {
        var obstacle: Obstacle?
        /// Since when it has not worked, or has worked.
        var since: UInt64 = 0
        var hasWorked = false
        /// Losses since the last line that was written about one.
        var untold = 0
        /// Whether the loss that it is in was told.
        var isTold = false
        var silentUntil: UInt64 = 0
    }

    /// How long the same line's losses are not told again, milliseconds.
    private static var quiet: UInt64 { 60_000 }
    /// A predecessor that is just leaving has this long to give up its ports, milliseconds.
    private static var patience: UInt64 { 1000 }

    private var lines: [Line]

    init(lines count: Int) {
        lines = [Line](repeating: Line(), count: count)
    }

    /// Whether the line works as far as was noted.
    func works(_ line: Int) -> Bool {
        lines.indices.contains(line) && lines[line].hasWorked && lines[line].obstacle == nil
    }

    /// Notes what is in the way of a line now, nil if it works; returns what is to be said.
    mutating func note(_ line: Int, _ obstacle: Obstacle?, now: UInt64) -> News? {
        guard lines.indices.contains(line) else { return nil }
        defer { lines[line].obstacle = obstacle }
        guard let obstacle else { return noteWorks(&lines[line]) }
        if lines[line].obstacle == nil {
            lines[line].since = now
            lines[line].isTold = false
            lines[line].untold += 1
        }
        return noteDown(&lines[line], obstacle, now: now)
    }

    private func noteWorks(_ line: inout Line) -> News? {
        defer { line.hasWorked = true }
        if line.obstacle != nil, line.isTold {
            line.isTold = false
            return .back
        }
        return line.hasWorked ? nil : .begins
    }

    private func noteDown(_ line: inout Line, _ obstacle: Obstacle, now: UInt64) -> News? {
        guard !line.isTold, now >= line.silentUntil else { return nil }
        if case .taken = obstacle, now < line.since &+ Self.patience { return nil }
        line.isTold = true
        line.silentUntil = now &+ Self.quiet
        defer { line.untold = 0 }
        return .down(obstacle, times: line.untold)
    }
}
