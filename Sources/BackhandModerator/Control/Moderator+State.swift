// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

extension Moderator {
    /// What we announce of ourselves: that we are leaving, else what an administrator has ordered for this httpd.
    var ownState: UInt8 {
        if stopWatch.isLeaving { return UInt8(BH_STATE_LEAVING.rawValue) }
        return UInt8(clamping: min(bh_half_load(&segment.pointee.state), BH_STATE_MAINTENANCE.rawValue))
    }

    /// Looks whether httpd is stopping, if there is reason to.
    func watchStopping(now: UInt64) {
        let word = bh_half_load(&segment.pointee.stopping)
        guard word != 0 || stopWatch.state != .open else { return }
        let wasLeaving = stopWatch.isLeaving
        let means = stopWatch.look(isChildEnding: word != 0, now: now) { isStopping(told: false) }
        if !means { bh_half_store(&segment.pointee.stopping, 0) }
        if stopWatch.isLeaving, !wasLeaving { beginFarewell(now: now) }
    }

    private func beginFarewell(now: UInt64) {
        farewell.begin(now: now)
        log(BH_LOG_INFO, LogNumber.leaving, "httpd is stopping: the others are told")
    }

    /// Milliseconds that the parent's signal may come after another process's: systemd and a terminal signal httpd's processes one after
    /// the other, and a parent that stops signals the moderator before anything else.
    private static var parentsTime: UInt64 { 40 }

    /// Whether the parent's signal is among those that end the moderator, or is about to come.
    func hearsParent(_ isParents: () -> Bool) -> Bool {
        let end = monotonicMilliseconds() &+ Self.parentsTime
        var nothing = Readiness()
        while !isParents() {
            let now = monotonicMilliseconds()
            if now >= end { return false }
            nothing.wait(milliseconds: Int(clamping: end - now))
        }
        return true
    }

    /// The last words of a moderator that was told to end because httpd stops. After them there is no time left.
    func sayFarewell(_ writer: inout StatsWriter) {
        guard parentProcessID() == parent, isStopping(told: true) else { return }
        if !stopWatch.isLeaving { beginFarewell(now: monotonicMilliseconds()) }
        stopWatch.close()
        while let wait = farewell.wait(now: monotonicMilliseconds()) {
            if wait > 0 { pause(milliseconds: UInt32(clamping: wait)) }
            let now = monotonicMilliseconds()
            if farewell.take(now: now) { announce(lastSeen, &writer, now: now) }
        }
    }

    private func isStopping(told: Bool) -> Bool {
        config.leaving?(config.baton, told) ?? false
    }

    /// Carries out what a client of the control socket orders, and tells what is so now.
    func obey(_ order: ControlOrder, rows: UInt32, now: UInt64) -> [UInt8] {
        var id: UInt32 = 0
        if let server = order.server {
            guard let found = row(in: segment, rows: rows, of: server.address, port: server.port) else {
                return refusal("no such server")
            }
            id = found
        }
        if let state = order.state {
            if order.server == nil {
                orderSelf(state, in: segment, rows: rows, now: now)
                // As important as a farewell: the others must know at once.
                farewell.begin(now: now)
            } else {
                BackhandServerStats.order(state, in: segment, id)
            }
            let whom = order.server.map { "\($0.address.text):\($0.port), here" } ?? "this httpd"
            log(BH_LOG_NOTICE, LogNumber.ordered, "\(stateName(state.rawValue)) was ordered by the control socket for \(whom)")
        }
        var underWay: UInt64?
        if order.server == nil {
            underWay = UInt64(clamping: look(atWorkers: config).serving)
        }
        return stateJSON(segment, id, underWay: underWay)
    }

    private func look(atWorkers config: bh_moderator_config_t) -> bh_workers_t {
        var workers = bh_workers_t()
        config.workers?(config.baton, &workers)
        return workers
    }

    func refusal(_ why: StaticString) -> [UInt8] {
        [UInt8](#"{"error":""#.utf8) + UnsafeBufferPointer(start: why.utf8Start, count: why.utf8CodeUnitCount)
            + [UInt8]("\"}\n".utf8)
    }
}
