// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand

extension CandidacyFunction {
    /// Drops the servers that fail their own checks or at least half of their requests. If more than half of all
    /// servers would be left out
    /// then, they come last instead.
    ///
    /// A server that does not take requests, or refused a connection, is not in the list anyway, unless there was no
    /// other server. Then no server is dropped. The floor is Envoy's panic threshold of 50 %: few servers that get the
    /// requests of many would fail as well.
    static var byHealth: CandidacyFunction {
        CandidacyFunction("byHealth") { candidates, _ in
            if candidates.isLastResort {
                let given = candidates
                candidates.sort { slot, _ in SortKey(given.health(of: slot).rawValue) }
            } else {
                candidates.dropBroken(heardBefore: 0)
            }
        }
    }
}

/// How well a server is: the order in which servers are the last resort.
enum Health: Int64 {
    case works, goes, broken, refuses
}

extension Candidates {
    /// In one pass, because this is part of the recommended chain: the broken ones go to the spare list, and come back
    /// if they are too many. Servers that were last heard before that time are dropped too, and do not count. As the
    /// last resort they are the only ones.
    mutating func dropBroken(heardBefore oldest: UInt64) {
        // One copy, or the compiler makes one for each server.
        let given = self
        var kept = 0
        var broken = 0
        for place in 0..<given.count {
            let slot = given.list[place]
            let row = bh_segment_row(given.segment, slot.row)
            if !given.isHeard(row, since: oldest) { continue }
            // Its own checks also show when it works again, so that no request is to find that out.
            if bh_row_fails_check(row) || (given.isBroken(slot) && !given.isProbe(slot)), !given.isLastResort {
                given.spare[broken] = slot
                broken &+= 1
            } else {
                given.list[kept] = slot
                kept &+= 1
            }
        }
        count = kept
        choices = min(choices, kept &+ broken)
        if kept &+ broken < given.count { hasSilent = true }
        guard broken > 0, 2 &* (broken &+ refusing) > kept &+ broken &+ refusing else { return }
        for place in 0..<broken { list[kept &+ place] = spare[place] }
        count = kept &+ broken
    }

    fileprivate func health(of slot: ServerSlot) -> Health {
        let row = bh_segment_row(segment, slot.row)
        if slot.id != ownID, bh_row_is_refusing(row, now) { return .refuses }
        if bh_row_fails_check(row) || isBroken(slot) { return .broken }
        return bh_row_state(row) == BH_STATE_UP.rawValue ? .works : .goes
    }

    /// Whether it is in doubt because it fails, or, where the chain has had no answer from it yet, announces that half
    /// of its answers are errors.
    private func isBroken(_ slot: ServerSlot) -> Bool {
        let fails = bh_doubt_bit(BH_DOUBT_FAILS.rawValue, 0) | bh_doubt_bit(BH_DOUBT_FAILING.rawValue, 0)
        if hasDoubtful, doubts(of: slot) & fails != 0 { return true }
        guard bh_row_errors(bh_segment_row(segment, slot.row)) >= 500_000 else { return false }
        let evidence = bh_row_evidence(feedback(of: slot), self.slot)
        for kind in 0..<BH_CLASS_FAILED.rawValue where bh_evidence_answers(evidence, kind) != 0 { return false }
        return !repeatable || !probesAnyway(slot)
    }

    /// One request in 64 does not take a server's own word for it: one client may have made it say so.
    private func probesAnyway(_ slot: ServerSlot) -> Bool {
        var random = SplitMix64(seed: seed, stream: 2 << 32 | Int(slot.id))
        return random.below(64) == 0
    }
}
