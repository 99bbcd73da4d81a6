// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Least time first: the time of this httpd's last requests to a server, times one more than it has there now. Needs no announcements.
    static var byLeastTime: CandidacyFunction {
        CandidacyFunction("byLeastTime") { candidates, _ in
            guard candidates.count > 1 else { return }
            var random = SplitMix64(seed: candidates.seed, stream: candidates.step)
            let times = Times(candidates)
            let given = candidates
            candidates.sort(first: bestPlaces) { slot, _ in
                let row = given.feedback(of: slot)
                let next = Double(bh_half_load(&row.pointee.in_flight)) + 1
                let working = times.working(row)
                return SortKey(times.of(row) * next / (working * working) * random.nudge())
            }
        }
    }
}
