// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Keeps the servers whose last announcement is not older than the argument, in milliseconds.
    static var byAge: CandidacyFunction {
        CandidacyFunction(
            "byAge", .decimal("a number of seconds", above: 0, through: 86_400, otherwise: SERVER_TIMEOUT * 1000)
        ) {
            candidates, argument in
            let oldest = candidates.time(before: argument.number)
            let given = candidates
            candidates.keep { slot, segment in given.isHeard(bh_segment_row(segment, slot.row), since: oldest) }
        }
    }
}

extension Candidates {
    /// The time this many milliseconds before that to which ages count.
    func time(before milliseconds: Int32) -> UInt64 {
        let age = UInt64(UInt32(bitPattern: milliseconds))
        return ageClock > age ? ageClock &- age : 0
    }
}
