// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandSimulator

/// Clusters whose servers are the balancers.
struct SymmetricTests {
    private func run(_ contender: Contender, _ scenario: String) throws -> Summary {
        try Trial(seconds: 30, warmUp: 5, runs: 1).run(
            contender, in: #require(Scenario.all.first { $0.name == scenario }))
    }

    private func forecast(_ scenario: String) throws -> Summary {
        try run(#require(Contender.all.first { $0.name == "byForecast" }), scenario)
    }

    /// Evenly asked, little is sent on, and none waits longer than where each node serves its own.
    @Test(arguments: [("even-10", 0.05), ("even-50", 0.05), ("even-80", 0.75)]) func `evenly asked`(
        scenario: String, most: Double
    ) throws {
        let (ours, off) = try (forecast(scenario), run(.chain("off", ["byAge 0.001", "addSelf"]), scenario))
        #expect(off.sentOn * 100 < off.requests, "an announcement that is just heard makes others young enough")
        #expect(Double(ours.sentOn) <= most * Double(ours.requests), "\(ours.sentOn) of \(ours.requests)")
        #expect(ours.p99 <= 1.05 * off.p99, "\(ours.p99) and \(off.p99)")
    }

    /// With most clients at one node the others take what that cannot serve.
    @Test func `unevenly asked`() throws {
        #expect(try forecast("symmetric").p99 < 110)
    }
}
