// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Keeps the servers for which a condition over what is known of them holds.
    static var byResource: CandidacyFunction {
        CandidacyFunction("byResource", .condition) { candidates, argument in
            guard let program = argument.program else { return }
            let given = candidates
            var stack = InlineArray<16, Double>(repeating: 0)
            candidates.keep { slot, _ in holds(program, given, slot, &stack) }
        }
    }
}
