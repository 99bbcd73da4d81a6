// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandSimulator

struct TrialTests {
    private let trial = Trial(seconds: 30, warmUp: 5, runs: 1)

    private func run(_ rule: String, _ scenario: String) throws -> Summary {
        let contender = try #require(Contender.all.first { $0.name == rule })
        return try trial.run(contender, in: #require(Scenario.all.first { $0.name == scenario }))
    }

    @Test func `same seed, same answer`() throws {
        let first = try run("byForecast", "antagonist-4")
        #expect(first.requests > 10_000)
        #expect(try run("byForecast", "antagonist-4") == first)
    }

    @Test func `every rule meets the same requests`() throws {
        let short = Trial(seconds: 6, warmUp: 2, runs: 1)
        let counts = try Contender.all.map { try short.run($0, in: Scenario.all[3]).requests }
        #expect(Set(counts).count == 1)
    }

    /// The order that theory tells: nobody beats the oracle by more than chance, and who follows stale queues ends far
    /// behind.
    @Test func `bound and control`() throws {
        let oracle = try run("oracle", "mixed").p99
        let ours = try run("byForecast", "mixed").p99
        #expect(ours > oracle * 0.97 && ours < oracle * 1.4)
        #expect(try run("herd", "mixed").p99 > 5 * ours)
    }

    /// What the new functions are for. 30 s tell only what is far apart.
    @Test(arguments: ["speeds-300", "speeds-1200", "mixed", "antagonist-10"])
    func `better than fewest in flight`(scenario: String) throws {
        let rival = try run("HAProxy leastconn", scenario).p99
        #expect(try run("byForecast", scenario).p99 < 0.7 * rival)
        #expect(try run("byLeastTime", scenario).p99 < 0.75 * rival)
    }

    /// A server that answers at once with 503 looks fast to who counts requests only.
    @Test func `failures are not attractive`() throws {
        let ours = try run("byForecast", "fails")
        #expect(ours.failures == 0)
        #expect(ours.shares[3] * 100 < ours.requests)
    }

    @Test func `a chain that leaves nobody fails its requests`() throws {
        let summary = try trial.run(.chain("nobody", ["byAge 0.001"]), in: Scenario.all[0])
        #expect(summary.failures > summary.requests / 2 && summary.p99 == 20_000)
        #expect(throws: (any Error).self) { try trial.run(.chain("wrong", ["byLaod"]), in: Scenario.all[0]) }
    }

    @Test func `the published experiment`() throws {
        let reading = try #require(CostReading.all.last)
        let result = try replayCost(executions: 20, seed: 1, as: reading)
        #expect((1.3...1.65).contains(result.inTurn.byJob / result.byCost.byJob))
    }
}
