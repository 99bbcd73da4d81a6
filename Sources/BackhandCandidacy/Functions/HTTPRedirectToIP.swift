// Licensed under the Apache License, Version 2.0; see LICENSE.

extension CandidacyFunction {
    /// Sends the client to the address of whichever candidate is chosen.
    static var redirectToIP: CandidacyFunction {
        CandidacyFunction("HTTPRedirectToIP") { candidates, _ in candidates.redirect(nil) }
    }
}
