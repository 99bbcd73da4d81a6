// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand

extension CandidacyFunction {
    /// Least time first: the time of this httpd's last requests to a server, times one more than it has there now,
    /// divided by its weight. Needs no announcements.
    static var byLeastTime: CandidacyFunction {
        CandidacyFunction("byLeastTime") { candidates, _ in
            candidates.sortByTime(first: bestPlaces)
        }
    }
}

extension Candidates {
    /// Puts this many in front, those with the least time.
    mutating func sortByTime(first: Int) {
        guard count > 1 else { return }
        var random = SplitMix64(seed: seed, stream: step)
        var times = Times(self)
        let (list, keys, count) = (list, keys, count)
        let asked = Times.placeToAsk(&self)
        let askedID = asked < 0 ? -1 : list[asked].id
        // The time of one that was not tried is that of the best of the others, which the first turn finds.
        var hasUntried = true
        for turn in 0..<2 where turn == 0 || hasUntried {
            hasUntried = false
            var front = Front(keys, first: first)
            for place in 0..<count {
                let slot = list[place]
                let row = feedback(of: slot)
                var time = times.seen(row)
                guard slot.id != askedID, !isProbe(slot) else {
                    front.offer(SortKey(0.0), place)
                    continue
                }
                if time == 0 { (hasUntried, time) = (true, times.ofUntried) }
                time *= Double(bh_half_load(&row.pointee.in_flight)) + 1
                if areWeighted { time /= weight(of: slot) }
                // Failures make it no shorter.
                guard time < front.longest else { continue }
                let working = times.working(row)
                front.offer(SortKey(time / (working * working) * random.nudge()), place)
            }
            front.lead(list)
        }
    }
}
