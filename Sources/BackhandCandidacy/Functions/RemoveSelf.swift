// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Removes the local server.
    static var removeSelf: CandidacyFunction {
        CandidacyFunction("removeSelf") { candidates, _ in
            let own = candidates.ownID
            candidates.keep { slot, _ in slot.id != own }
        }
    }
}
