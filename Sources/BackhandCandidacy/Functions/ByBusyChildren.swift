// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Fewest busy workers first; the local server's are lowered by the argument.
    static var byBusyChildren: CandidacyFunction {
        CandidacyFunction(
            "byBusyChildren", .whole("a whole number of workers", from: 0, through: 1_000_000, otherwise: 0)
        ) {
            candidates, argument in
            let own = candidates.ownID
            candidates.sort { slot, segment in
                SortKey(PublicRow(segment, slot.row).busyWorkers &- (slot.id == own ? Int64(argument.number) : 0))
            }
        }
    }
}
