// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandCandidacy

struct AddPredictionTests {
    @Test func changesNothing() throws {
        let table = FakeTable(loads: [3, 1, 2])
        let outcome = try table.decide(["byLoad", "HTTPRedirectToIP", "addPrediction"])
        #expect(outcome.ids == [1, 2, 0] && outcome.modes == [1, 1, 1] && outcome.counts == [3, 3, 3, 3])
        #expect(try FakeTable([]).decide(["addPrediction"]).ids == [])
    }
}
