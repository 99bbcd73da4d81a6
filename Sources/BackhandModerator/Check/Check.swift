// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// One line of BackhandCheck: when its application is asked, and what has come of it.
final class Check {
    let settings: bh_check_t
    private(set) var state: CheckState
    private var ticker: Ticker
    private var run: CheckRun?
    /// What the application had completed when the first of the time-outs in a row began to be looked at; 0: there is
    /// none, or it was not full.
    private var progress: UInt64 = 0

    /// - Parameter state: as the moderator before has left it.
    init(_ settings: bh_check_t, _ state: CheckState, now: UInt64) {
        self.settings = settings
        self.state = state
        ticker = Ticker(interval: UInt64(settings.interval_ms), now: now)
    }

    /// Whether one waits for its answer.
    var isUnderWay: Bool { run != nil }

    /// Whether the next is to begin: one that lasts longer than the interval delays it.
    func isDue(now: UInt64) -> Bool { run == nil && ticker.take(now: now) }

    func start(at place: VirtualHost, _ request: [UInt8], now: UInt64) throws(SystemError) {
        run = try CheckRun(settings, at: place, request, now: now)
    }

    func stop() {
        run?.close()
        run = nil
    }

    /// Says what to wait for.
    func prepare(_ readiness: inout Readiness) { run?.prepare(&readiness) }

    /// Milliseconds until it is due, or late.
    func wait(now: UInt64) -> UInt64 { run?.wait(now: now) ?? ticker.wait(now: now) }

    /// Does what is possible now; the result if the check has ended.
    ///
    /// - Parameter completed: a number that has grown if the application has completed other requests; 0: it is not
    ///   full.
    ///   A full application that completes some while the check waits, or since the first of several checks in a row
    ///   that were too late, is busy, and not dead.
    func proceed(_ readiness: Readiness, now: UInt64, _ completed: () -> UInt64) -> CheckResult? {
        guard let before = run else { return nil }
        var result = run?.proceed(readiness)
        if result == nil, now >= before.looksAt { run?.noteCompleted(completed()) }
        if result == nil, now >= before.deadline, let late = run {
            result = isProgress(from: late.completed, to: completed()) ? .busy : .timeout
        }
        guard let result else { return nil }
        if result != .timeout { progress = 0 }
        stop()
        return result
    }

    private func isProgress(from first: UInt64, to last: UInt64) -> Bool {
        let base = progress > 0 ? progress : first
        progress = base > 0 ? base : last
        return base > 0 && last > base
    }

    /// Takes a result; true if what is announced changes: a first time-out too, because requests that wait for the
    /// application may be given to another server.
    func note(_ result: CheckResult) -> Bool {
        let before = state
        let changed = state.note(result, rise: settings.rise, fall: settings.fall)
        return changed || (result == .timeout && before.last != result)
    }
}

extension bh_check_t {
    /// What it asks for, as it is announced: "/health", or "shop.example/health".
    func name(withHost: Bool) -> Message {
        var name = Message()
        if withHost, let host { name.add(Word(host).bytes) }
        if let path { name.add(Word(path).bytes) }
        return name
    }
}
