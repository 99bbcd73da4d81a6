// Licensed under the Apache License, Version 2.0; see LICENSE.

extension CandidacyFunction {
    /// Leaves the candidates as they are: kept so that configurations of old are accepted.
    static var addPrediction: CandidacyFunction {
        CandidacyFunction("addPrediction") { _, _ in }
    }
}
