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

    /// - Parameter isFailing: as the moderator before has left it; nil: there was none.
    init(_ settings: bh_check_t, isFailing: Bool?, now: UInt64) {
        self.settings = settings
        state = CheckState(isFailing: isFailing)
        ticker = Ticker(interval: UInt64(settings.interval_ms), now: now)
    }

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
    ///   A full application that completes some in the second half of the time is busy, and not dead.
    func proceed(_ readiness: Readiness, now: UInt64, _ completed: (CheckRun) -> UInt64) -> CheckResult? {
        guard let before = run else { return nil }
        var result = run?.proceed(readiness)
        if result == nil, now >= before.halfTime, before.completed == nil { run?.completed = completed(before) }
        if result == nil, now >= before.deadline {
            let (first, last) = (before.completed ?? 0, completed(before))
            result = first > 0 && last > first ? .busy : .timeout
        }
        if result != nil { stop() }
        return result
    }

    /// Takes a result; true if what is announced changes: a first time-out too, because requests that wait for the
    /// application may be given to another server.
    func note(_ result: CheckResult) -> Bool {
        let before = state
        let changed = state.note(result, rise: settings.rise, fall: settings.fall)
        return changed || (result == .timeout && before.last != result)
    }

    /// What it asks for, as it is announced: "/health", or "shop.example/health".
    func name(withHost: Bool) -> Message {
        var name = Message()
        if withHost, let host = settings.host { name.add(Word(host).bytes) }
        if let path = settings.path { name.add(Word(path).bytes) }
        return name
    }
}
