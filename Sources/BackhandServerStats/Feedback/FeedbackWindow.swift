// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// What the children did since the moderator looked last: means over the window, and how many balancers there seem to
/// be.
///
/// Closed once an announcement; the results are in the rows and in the segment, where decisions find them.
struct FeedbackWindow {
    private var rows: [RowWindow] = []
    /// Requests that peers got from all, and those that they got from us; what is older than about ten windows is
    /// forgotten.
    private var all = 0.0
    private var ours = 0.0
    private var openedAt: UInt64 = 0
    /// Requests that this httpd has sent on to others. Sums up what was added, so that it does not fall when a row is
    /// emptied.
    private(set) var dispatched: UInt64 = 0
    /// What this httpd itself did in the last window.
    private(set) var own = OwnWindow()
    private var demand = DemandWindow()
    /// A server that has announced nothing for this long is no longer part of what all can do, milliseconds.
    fileprivate static let silent: UInt64 = 6000
    /// With fewer requests it has shown nothing yet.
    private static let few: UInt64 = 20

    /// Writes each row's mean, balancers, and whether more comes here than elsewhere, for the time since the last call.
    mutating func close(_ segment: UnsafeMutablePointer<bh_segment_t>, rows count: UInt32, nowMicroseconds: UInt64) {
        let span = openedAt != 0 && nowMicroseconds > openedAt ? nowMicroseconds &- openedAt : 0
        let isGap = span > UInt64(BH_BEAT_LATE_MS) * 1000
        openedAt = nowMicroseconds
        let keep = 0.9
        all *= keep
        ours *= keep
        var others = (taken: 0.0, capacity: 0.0)
        for id in 0..<Int(count) {
            if id == rows.count { rows.append(RowWindow()) }
            let row = bh_segment_row_mutable(segment, UInt32(id))
            rows[id].closeMean(row, span: span, nowMicroseconds: nowMicroseconds)
            rows[id].closeTimes(row, keep: keep, isGap: isGap)
            rows[id].shortage.close(segment, UInt32(id), nowMicroseconds: nowMicroseconds)
            let counts = rows[id].closeCounts(row)
            guard !bh_row_own(row) else { continue }
            dispatched &+= counts.sent
            guard bh_row_heard(row) != 0 else { continue }
            if servesToo(row, nowMicroseconds) {
                others.capacity += Double(bh_half_load(&row.pointee.effective_capacity))
            }
            guard counts.isKnown else { continue }
            if !counts.isLate { others.taken += Double(counts.taken) }
            all += Double(counts.taken)
            ours += Double(counts.sent)
        }
        own.close(segment, span: span)
        demand.close(
            segment, span: span, arrived: own.arrived, taken: others.taken, capacity: others.capacity,
            dispatched: dispatched)
        // What a predecessor found holds until something else is known.
        if span > 0, let balancers { bh_half_store(&segment.pointee.balancers, balancers) }
    }

    /// Whether the server is part of what all can do: it takes requests, has announced something lately, and serves
    /// more than a twentieth of what comes to it. A server that only balances sends all on.
    private func servesToo(_ row: UnsafeMutablePointer<bh_row_t>, _ nowMicroseconds: UInt64) -> Bool {
        guard bh_row_state(row) == BH_STATE_UP.rawValue, bh_row_heard(row) &+ Self.silent > nowMicroseconds / 1000
        else {
            return false
        }
        let (came, passed) = (bh_word_load(&row.pointee.facts.arrivals), bh_word_load(&row.pointee.facts.dispatched))
        return came <= Self.few || (came > passed && came - passed > came / 20)
    }

    /// The row gets another server.
    mutating func forget(_ id: UInt32) {
        if Int(id) < rows.count { rows[Int(id)].forget() }
    }

    /// In thousandths, 1 to `mostBalancers` of us.
    /// nil: this httpd has sent nothing lately, or its servers count nothing.
    private var balancers: UInt32? {
        guard all > 0, ours > 0 else { return nil }
        return UInt32(min(max(all / ours, 1), mostBalancers) * 1000)
    }
}

/// One row's counters when the last window closed.
private struct RowWindow {
    private var integral: UInt64 = 0
    private var boot: UInt64 = 0
    private var arrivals: UInt64 = 0
    private var dispatched: UInt64 = 0
    private var sent: UInt64 = 0
    private var heard: UInt64 = 0
    /// Requests answered there and their time: all of them, nil before the first window, and those that are not
    /// forgotten.
    private var answered: (count: UInt64, spent: UInt64)?
    private var recentCount = 0.0
    private var recentSpent = 0.0
    var shortage = WorkerShortage()

    struct Counts {
        /// Requests that the server itself worked on since the last window: what it received and sent on is others'
        /// work.
        var taken: UInt64 = 0
        /// Whether that is known: not across a restart.
        var isKnown = false
        /// Whether that was in a long silence, not in the last window alone.
        var isLate = false
        /// Requests that we sent there.
        var sent: UInt64 = 0
    }

    /// The mean of the requests in flight: the integral's growth by the span.
    ///
    /// A child may be between two of its additions, and a reading then be wrong by the machine's whole uptime: two
    /// readings must agree, and what cannot be is left out; the mean then stays as it was.
    mutating func closeMean(_ row: UnsafeMutablePointer<bh_row_t>, span: UInt64, nowMicroseconds: UInt64) {
        var reached: UInt64 = 0
        var flying: UInt64 = 0
        for _ in 0..<8 {
            flying = UInt64(bh_half_load(&row.pointee.in_flight))
            reached = bh_word_load(&row.pointee.in_flight_us)
            if flying == UInt64(bh_half_load(&row.pointee.in_flight)),
                reached == bh_word_load(&row.pointee.in_flight_us)
            {
                break
            }
        }
        reached = reached &+ flying &* nowMicroseconds
        let grown = reached &- integral
        integral = reached
        guard span > 0, grown / span < 65_536 else { return }
        bh_half_store(&row.pointee.sent_mean, UInt32(clamping: grown &* 1000 / span))
    }

    /// Its counts and times begin again; the integral does not, for its word in the row stays.
    mutating func forget() {
        let integral = integral
        self = RowWindow()
        self.integral = integral
    }

    /// The mean time of what was answered lately, in windows with answers and without. What was before the first one
    /// says nothing of today, and what came in a gap would outweigh all windows after it.
    mutating func closeTimes(_ row: UnsafeMutablePointer<bh_row_t>, keep: Double, isGap: Bool) {
        let now = (count: bh_word_load(&row.pointee.served), spent: bh_word_load(&row.pointee.service_us))
        let before = isGap ? now : answered ?? now
        answered = now
        guard now.count >= before.count, now.spent >= before.spent else {
            (recentCount, recentSpent) = (0, 0)
            return
        }
        guard now.count > before.count else { return }
        recentCount = recentCount * keep + Double(now.count - before.count)
        recentSpent = recentSpent * keep + Double(now.spent - before.spent)
        bh_half_store(&row.pointee.recent_us, UInt32(min(max(recentSpent / recentCount + 0.5, 1), 4e9)))
    }

    mutating func closeCounts(_ row: UnsafeMutablePointer<bh_row_t>) -> Counts {
        let before = self
        boot = bh_word_load(&row.pointee.facts.boot_id)
        arrivals = bh_word_load(&row.pointee.facts.arrivals)
        dispatched = bh_word_load(&row.pointee.facts.dispatched)
        sent = bh_word_load(&row.pointee.served) &+ bh_word_load(&row.pointee.failed)
        heard = bh_row_heard(row)
        var counts = Counts()
        counts.isLate = heard &- before.heard > FeedbackWindow.silent
        counts.sent = sent >= before.sent ? sent &- before.sent : 0
        guard boot == before.boot, arrivals >= before.arrivals, dispatched >= before.dispatched else { return counts }
        let (received, passed) = (arrivals &- before.arrivals, dispatched &- before.dispatched)
        counts.taken = received > passed ? received &- passed : 0
        counts.isKnown = true
        return counts
    }
}
