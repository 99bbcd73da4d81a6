// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

extension CandidacyFunction {
    /// Removes the local server.
    static var removeSelf: CandidacyFunction {
        CandidacyFunction("removeSelf") { candidates, _ in
            candidates.keep { slot, _ in slot.id != 0 }
        }
    }
}
