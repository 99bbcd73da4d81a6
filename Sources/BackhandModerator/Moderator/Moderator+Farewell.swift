// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

// Who says farewell. If another process tells the moderator to end, this may be a stop of all processes of httpd, or of
// the moderator alone, and only the parent gets to know which. It may get to know late: no time is long enough to wait
// for it. So the moderator ends, and leaves a word in the segment. A parent that does not stop forks another moderator
// for its work, and one that stops forks another one for the farewell.

extension Moderator {
    /// Milliseconds that the parent's signal may come after another process's: systemd and a terminal signal httpd's
    /// processes one after the other. With less, the parent of a busy machine misses its moderator before it knows of
    /// the stop, and logs that; with more, a new moderator comes later than it could. Farewell is said in any case.
    private static var parentsTime: UInt64 { 250 }

    /// Whether the parent has asked for a farewell. It asks before it forks, where the moderator before said none.
    var isForFarewell: Bool {
        !config.alone && bh_half_load(&segment.pointee.farewell) == BH_FAREWELL_ASKED.rawValue
    }

    /// Says farewell, and nothing before.
    func sayFarewell(_ writer: inout StatsWriter) {
        announcer.recall()
        announcer.sayFarewell(&writer)
    }

    /// Whether a moderator that was told to end is to say farewell; if not, its parent has it said, if there is reason
    /// to.
    func isFarewellOurs(_ senders: () -> StopSenders) -> Bool {
        if config.alone || hearsParent(senders) || isLast(senders) {
            _ = bh_farewell_set(segment, BH_FAREWELL_SAID)
            return true
        }
        return bh_farewell_set(segment, BH_FAREWELL_LEFT) == BH_FAREWELL_ASKED
    }

    /// Whether the parent's signal is among those that end the moderator, or comes now. The parent's word in the
    /// segment is its signal too: of two equal signals, the system may keep the other one.
    private func hearsParent(_ senders: () -> StopSenders) -> Bool {
        let end = monotonicMilliseconds() &+ Self.parentsTime
        var nothing = Readiness()
        while !senders().contains(.parent), !isForFarewell {
            let now = monotonicMilliseconds()
            if now >= end || parentProcessID() != parent { return false }
            nothing.wait(milliseconds: Int(clamping: end - now))
        }
        return true
    }

    /// Whether no parent is left that could have farewell said. Then a signal of another process means httpd: only the
    /// death of the parent means nothing, because its children may serve on.
    private func isLast(_ senders: () -> StopSenders) -> Bool {
        senders().contains(.another) && parentProcessID() != parent
    }
}
