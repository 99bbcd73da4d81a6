// Licensed under the Apache License, Version 2.0; see LICENSE.

import ArgumentParser
import BackhandSimulator

/// The published experiment behind byCost, with byCost's real code.
struct Cost: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Repeats the published experiment that byCost comes from, with its real code.",
        discussion: """
            Jobs on six machines, placed in turn (PVM) or by byCost (E-PVM). The papers report 15.404 and 10.701 by job, 14.334 and 9.795 by \
            execution; not all of their constants are printed, so the ratio of the two is what compares.
            """)

    @Option(help: "Executions of 10,000 simulated seconds, 1 to 100000; the papers have 3000.")
    var executions: Int = 300

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    func validate() throws {
        guard (1...100_000).contains(executions) else { throw ValidationError("--executions must be 1 to 100000") }
    }

    func run() throws {
        print("mean slowdown                in turn  byCost   ratio  published ratio")
        for memory in [true, false] {
            let result = try replayCost(executions: executions, seed: seed, memory: memory)
            let what = memory ? "as printed    " : "without memory"
            tell("\(what), by job      ", result.inTurn.byJob, result.byCost.byJob, memory ? "1.440" : "-")
            tell("\(what), by execution", result.inTurn.byExecution, result.byCost.byExecution, memory ? "1.463" : "-")
        }
    }

    private func tell(_ what: String, _ inTurn: Double, _ byCost: Double, _ published: String) {
        print("\(what)  \(decimal(inTurn))  \(decimal(byCost))  \(decimal(inTurn / byCost))  \(published)")
    }
}
