// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand

extension CandidacyFunction {
    /// Least time first: the time of this httpd's last requests to a server, times one more than it has there now.
    /// Needs no announcements.
    static var byLeastTime: CandidacyFunction {
        CandidacyFunction("byLeastTime") { candidates, _ in
            guard candidates.count > 1 else { return }
            var random = SplitMix64(seed: candidates.seed, stream: candidates.step)
            var times = Times(candidates)
            let given = candidates
            let asked = Times.placeToAsk(given)
            let first = asked < 0 ? -1 : given.list[asked].id
            for place in 0..<given.count { _ = times.seen(given.feedback(of: given.list[place])) }
            candidates.sort(first: bestPlaces) { slot, _ in
                if slot.id == first || given.isProbe(slot) { return SortKey(0.0) }
                let row = given.feedback(of: slot)
                let next = Double(bh_half_load(&row.pointee.in_flight)) + 1
                let working = times.working(row)
                let seen = times.seen(row)
                return SortKey((seen > 0 ? seen : times.ofUntried) * next / (working * working) * random.nudge())
            }
        }
    }
}
