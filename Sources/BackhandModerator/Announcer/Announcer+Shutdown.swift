// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

// Whether this httpd takes new requests, as it is announced: until it stops, what an administrator has ordered, by
// the control socket or by the drain file.

extension Announcer {
    /// That we are shutting down, else what an administrator has ordered for this httpd.
    var ownState: UInt8 {
        if shutdown.isShuttingDown { return UInt8(BH_STATE_SHUTDOWN.rawValue) }
        return UInt8(clamping: BackhandServerStats.ownState(segment).rawValue)
    }

    /// Our own state has changed by an order, or by the drain file: as important as a farewell, the others must know at
    /// once.
    func noteOrder(now: UInt64) {
        farewell.begin(now: now)
    }

    /// Looks whether httpd is stopping, if there is reason to.
    func watchStopping(now: UInt64) {
        let word = bh_half_load(&segment.pointee.stopping)
        guard word != 0 || shutdown.state != .open else { return }
        let wasShuttingDown = shutdown.isShuttingDown
        let means = shutdown.look(isChildEnding: word != 0, now: now) { isStopping(told: false) }
        if !means { bh_half_store(&segment.pointee.stopping, 0) }
        if shutdown.isShuttingDown, !wasShuttingDown { beginFarewell(now: now) }
    }

    private func beginFarewell(now: UInt64) {
        farewell.begin(now: now)
        log(BH_LOG_INFO, LogNumber.shutdown, "stopping: the others are told")
    }

    /// The last words of a moderator that was told to end, if it was because httpd stops. After them there is no time
    /// left.
    func sayFarewell(_ writer: inout StatsWriter) {
        guard isStopping(told: true) else { return }
        if !shutdown.isShuttingDown { beginFarewell(now: monotonicMilliseconds()) }
        shutdown.close()
        while let wait = farewell.wait(now: monotonicMilliseconds()) {
            if wait > 0 { pause(milliseconds: UInt32(clamping: wait)) }
            let now = monotonicMilliseconds()
            if farewell.take(now: now) { announce(&writer, now: now) }
        }
    }

    private func isStopping(told: Bool) -> Bool {
        config.shutdown?(config.baton, told) ?? false
    }
}
