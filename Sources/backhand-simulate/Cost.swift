// Licensed under the Apache License, Version 2.0; see LICENSE.

import ArgumentParser
import BackhandSimulator

/// The published experiment on which byCost is based, with byCost's real code.
struct Cost: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Repeats the published experiment that byCost comes from, with its real code.",
        discussion: """
            It places jobs on six machines in turn (PVM) or by byCost (E-PVM). The papers report 15.404 and 10.701 by \
            job, 14.334 and \
            9.795 by execution. They do not print all of their constants, so compare the ratio of the two.
            """)

    @Option(help: "Executions of 10,000 simulated seconds, 1 to 100000. The papers have 3000.")
    var executions: Int = 300

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    func validate() throws {
        guard (1...100_000).contains(executions) else { throw ValidationError("--executions must be 1 to 100000") }
    }

    func run() throws {
        print("slowdown in turn and by byCost, by job; by execution; the ratios are published as 1.440 and 1.463")
        for reading in CostReading.all {
            let result = try replayCost(executions: executions, seed: seed, as: reading)
            let (turn, cost) = (result.inTurn, result.byCost)
            print(
                "\(decimal(turn.byJob)) \(decimal(cost.byJob)) \(decimal(turn.byJob / cost.byJob)); "
                    + "\(decimal(turn.byExecution)) "
                    + "\(decimal(cost.byExecution)) \(decimal(turn.byExecution / cost.byExecution)): \(reading.name)")
        }
    }
}
