// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

// Servers against which there is evidence are asked last: they stand after all others, whatever the chain's functions
// say, but for one request now and then that probes whether they work again. They are not dropped for it, so a session,
// or a lack of others, still finds them.
//
// What fails half of its requests may be half of the servers at most: the others would fail as well under the requests
// of all. What fails everything has nothing to lose, and takes nothing from the others that they do not have already.

extension Candidates {
    /// Why the chain asks the server last: bits of bh_doubt_t; 0: it does not.
    func doubts(of slot: ServerSlot) -> UInt32 { bh_row_doubts(feedback(of: slot), self.slot) }

    /// Whether this request may probe the server.
    func isProbe(_ slot: ServerSlot) -> Bool {
        hasDoubtful && doubts(of: slot) != 0
            && bh_probe_is_due(bh_row_evidence(feedback(of: slot), self.slot), now, repeatable)
    }

    /// Puts those in doubt after the others. The order is kept otherwise.
    mutating func askLast() {
        // As the last resort they are not the worst: byHealth has an order for that.
        guard count > 1, !isLastResort else { return }
        let counted = doubtsThatCount
        putLast { doubts(of: $0) & counted != 0 && !isProbe($0) }
    }

    /// The doubts for which servers are asked last now.
    var doubtsThatCount: UInt32 {
        let (fails, failing) = (bh_doubt_bit(BH_DOUBT_FAILS.rawValue, 0), bh_doubt_bit(BH_DOUBT_FAILING.rawValue, 0))
        var some = 0
        for place in 0..<count where doubts(of: list[place]) & (fails | failing) != 0 { some &+= 1 }
        return 2 &* (some &+ refusing) > count &+ refusing ? ~failing : ~0
    }
}
