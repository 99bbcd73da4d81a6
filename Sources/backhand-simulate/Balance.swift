// Licensed under the Apache License, Version 2.0; see LICENSE.

import ArgumentParser
import BackhandSimulator
import BackhandSystem

/// A comparison of candidacy functions: what each rule does to the same requests in the same worlds.
struct Balance: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compares ways of choosing a server in simulated clusters. mod_backhand's run with their real code.",
        discussion: """
            Nothing is sent and nothing is served, because time is simulated. The same seed gives the same table on \
            every machine. \
            Figures are 99th percentiles of the latency in milliseconds, unless --figure says otherwise. A failed \
            request counts as 20 s.
            """)

    @Option(help: "Only the scenarios whose names begin with this. May be given again.")
    var scenario: [String] = []

    @Option(help: "Only the rules whose names begin with this. May be given again.")
    var rule: [String] = []

    @Option(
        help: ArgumentHelp(
            "A chain of candidacy functions as one more rule, with commas between its lines.", valueName: "lines"))
    var chain: [String] = []

    @Option(
        help: """
            mean, p50, p90, p99, p999, failures or sent. In a symmetric cluster, sent is the percentage of the \
            requests that a server \
            sends on to another one.
            """)
    var figure: Figure = .p99

    @Option(help: "Simulated seconds of one run, 20 to 3600.")
    var seconds: Int = 100

    @Option(help: "Runs of each cell, with consecutive seeds, 1 to 100.")
    var runs: Int = 3

    @Option(help: "The first seed. The formulas were fitted with 1 to 3.")
    var seed: UInt64 = 1001

    @Option(help: "A file for all figures, with commas between them.")
    var csv: String?

    @Option(
        help: ArgumentHelp(
            "Read the figures from a file that --csv has written, and simulate nothing. May be given again.",
            valueName: "file"))
    var from: [String] = []

    @Option(help: "A file for the plot.")
    var svg: String?

    @Flag(help: "The table as Markdown.")
    var markdown = false

    @Flag(help: "Print the goals of byForecast, and whether it reached them, after the table.")
    var goals = false

    @Flag(help: "Print the names of the scenarios and of the rules.")
    var list = false

    func validate() throws {
        guard (20...3600).contains(seconds) else { throw ValidationError("--seconds must be 20 to 3600") }
        guard (1...100).contains(runs) else { throw ValidationError("--runs must be 1 to 100") }
    }

    func run() throws {
        let scenarios = Scenario.all.filter { one in scenario.isEmpty || scenario.contains { one.name.hasPrefix($0) } }
        var contenders = Contender.all.filter { one in rule.isEmpty || rule.contains { one.name.hasPrefix($0) } }
        if rule.isEmpty, !chain.isEmpty { contenders = [] }
        contenders += chain.map { text in .chain(text, text.split(separator: ",").map(Self.trimmed)) }
        if list { return tellNames() }
        guard !scenarios.isEmpty, !contenders.isEmpty else {
            throw ValidationError("nothing has that name; see --list")
        }
        let table = try from.isEmpty ? simulate(scenarios, contenders) : Self.read(from)
        print(markdown ? table.markdown(figure) : table.text(figure))
        if goals { print("\n" + table.goals()) }
        if let csv { try Self.write(table.csv(), csv) }
        if let svg { try Self.write(table.svg(figure), svg) }
    }

    private func simulate(_ scenarios: [Scenario], _ contenders: [Contender]) throws -> Table {
        var table = Table(scenarios: scenarios, contenders: contenders)
        let trial = Trial(seconds: Double(seconds), runs: runs, seed: seed)
        for one in scenarios { try table.fill(one, by: trial) }
        return table
    }

    private static func read(_ paths: [String]) throws -> Table {
        var text = ""
        for path in paths {
            do throws(SystemError) {
                text += String(decoding: try readSmallFile(Path(path), limit: 16 << 20), as: UTF8.self)
            } catch {
                throw ValidationError("cannot read \(path): \(error.text)")
            }
        }
        guard let table = Table(csv: text) else {
            throw ValidationError("that is not what --csv writes, or cells are missing")
        }
        return table
    }

    private func tellNames() {
        for one in Scenario.all { print("\(one.name): \(one.title)") }
        print("")
        for one in Contender.all { print(one.name) }
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0 == " " })
    }

    private static func write(_ text: String, _ path: String) throws {
        do throws(SystemError) {
            try writeAtomically(Array(text.utf8), to: Path(path), mode: 0o644)
        } catch {
            throw ValidationError("cannot write \(path): \(error.text)")
        }
    }
}

extension Figure: ExpressibleByArgument {}
