// Licensed under the Apache License, Version 2.0; see LICENSE.

/// How long and how often each cell of the table is run.
///
/// The formulas were fitted with the seeds 1 to 3; tables are made with others.
public struct Trial: Sendable {
    /// Simulated seconds of one run.
    public var seconds: Double
    /// Simulated seconds at the beginning whose requests do not count.
    public var warmUp: Double
    /// Runs of each cell, at least 1.
    public var runs: Int
    /// The seed of the first run; each further run has the next one.
    public var seed: UInt64

    /// A trial; without arguments 3 runs of 100 s, of which the first 10 s do not count.
    public init(seconds: Double = 100, warmUp: Double = 10, runs: Int = 3, seed: UInt64 = 1001) {
        self.seconds = seconds
        self.warmUp = warmUp
        self.runs = runs
        self.seed = seed
    }

    /// One cell: all runs of a contender in a scenario, their requests put together.
    public func run(_ contender: Contender, in scenario: Scenario) throws -> Summary {
        var total = Tally()
        for number in 0..<UInt64(runs) {
            let seed = self.seed &+ number
            var made: Result<any Rule, any Error>?
            var world = World(scenario, fate: Fate(scenario, seed: seed, seconds: seconds), seed: seed, warmUp: warmUp)
            { cluster in
                let result = Result { try contender.make(cluster, seed) }
                made = result
                return (try? result.get()) ?? Oracle(cluster, seed: seed)
            }
            _ = try made?.get()
            world.run()
            total.merge(world.result)
        }
        return total.summary()
    }
}
