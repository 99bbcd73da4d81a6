// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Keeps the first log2(n) of n candidates, rounded down, but at least one.
    static var byLogWindow: CandidacyFunction {
        CandidacyFunction("byLogWindow") { candidates, _ in
            let count = candidates.count
            guard count > 1 else { return }
            candidates.count = Int.bitWidth &- 1 &- count.leadingZeroBitCount
        }
    }
}
