// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Most idle CPU first.
    static var byCPU: CandidacyFunction {
        CandidacyFunction("byCPU") { candidates, _ in
            candidates.sort { slot, segment in
                SortKey(1000 &- PublicRow(segment, slot.row).idle)
            }
        }
    }
}
