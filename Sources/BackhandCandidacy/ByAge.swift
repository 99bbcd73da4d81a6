// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Keeps the servers whose last announcement is not older than the argument, in milliseconds.
    static var byAge: CandidacyFunction {
        CandidacyFunction("byAge", .decimal("a number of seconds", above: 0, through: 86_400, otherwise: SERVER_TIMEOUT * 1000)) {
            candidates, argument in
            let now = candidates.ageClock
            let oldest = UInt64(UInt32(bitPattern: argument.number))
            candidates.keep { slot, segment in
                let heard = bh_row_heard(bh_segment_row(segment, slot.row))
                // Heard after the clock was read, or after the last round of a moderator that is late: age 0.
                return heard >= now || now &- heard <= oldest
            }
        }
    }
}
