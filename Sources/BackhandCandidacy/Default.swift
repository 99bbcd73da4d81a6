// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// The recommended chain in one word: byAge 4, byForecast.
    static var recommended: CandidacyFunction {
        CandidacyFunction("default") { candidates, _ in
            // Announcements come once a second: who missed three is gone, or about to be.
            CandidacyFunction.byAge.apply(&candidates, StepArgument(number: 4000, text: nil))
            CandidacyFunction.byForecast.apply(&candidates, StepArgument(number: 0, text: nil))
        }
    }
}
