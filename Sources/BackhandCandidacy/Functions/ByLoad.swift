// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Least 1-minute load first; the local server's is lowered by the argument, in thousandths.
    static var byLoad: CandidacyFunction {
        CandidacyFunction("byLoad", .decimal("a load", from: 0, through: 1000, otherwise: 0)) { candidates, argument in
            let own = candidates.ownID
            candidates.sort { slot, segment in
                SortKey(PublicRow(segment, slot.row).load &- (slot.id == own ? Int64(argument.number) : 0))
            }
        }
    }
}
