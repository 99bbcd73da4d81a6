// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandCandidacy
import CBackhand
import Testing

@Suite struct OutcomeTextTests {
    @Test(arguments: [
        (BH_OUTCOME_REFUSED, Int32(503), "refused the connection"),
        (BH_OUTCOME_UNKNOWN, 503, "does not know this httpd as a server"),
        (BH_OUTCOME_FAILED, 502, "failed the request (502)"), (BH_OUTCOME_FAILED, -3, "failed the request (0)"),
    ])
    func whatTheServerDid(_ outcome: bh_outcome_t, status: Int32, text: String) {
        #expect(outcomeText(outcome, status: status).text == text)
    }
}
