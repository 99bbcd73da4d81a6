// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What byForecast should reach in a scenario: a 99th percentile of at most this many times that of others, or no
/// failure.
public struct Goal: Sendable {
    let scenario: String
    let measure: Measure

    enum Measure: Sendable {
        /// At most this many times the p99 of the one named.
        case rule(String, Double)
        /// At most this many times the p99 of the best of these kinds.
        case best([Contender.Kind], Double)
        case noFailures
    }

    /// In the order of docs/balance.md. "waits" are the servers of the bench with real processes: they sleep.
    public static var all: [Goal] {
        ["speeds", "waits"].flatMap { kind in
            [
                Goal(scenario: "\(kind)-300", measure: .rule("oracle", 1.15)),
                Goal(scenario: "\(kind)-300", measure: .best([.bare], 0.5)),
                Goal(scenario: "\(kind)-1200", measure: .best([.bare], 0.75)),
            ]
        }
            + [1, 4].flatMap { balancers in
                [
                    Goal(scenario: "antagonist-\(balancers)", measure: .rule("oracle", 1.25)),
                    Goal(scenario: "antagonist-\(balancers)", measure: .best([.bare], 0.75)),
                    Goal(scenario: "antagonist-\(balancers)", measure: .best([.bare, .tuned], 0.75)),
                ]
            }
            + [
                Goal(scenario: "mixed", measure: .rule("HAProxy leastconn, weights", 0.85)),
                Goal(scenario: "symmetric", measure: .rule("HAProxy leastconn", 1)),
                Goal(scenario: "equal", measure: .best([.bare, .tuned], 1.05)),
                Goal(scenario: "slow", measure: .best([.bare, .tuned], 0.8)),
                Goal(scenario: "waits-slow", measure: .best([.bare, .tuned], 0.8)),
                Goal(scenario: "fails", measure: .noFailures),
                Goal(scenario: "recovers", measure: .noFailures),
                Goal(scenario: "rare", measure: .rule("HAProxy leastconn", 1.05)),
            ]
    }

    var text: String {
        switch measure {
        case .rule(let name, let factor): "at most \(number(factor, decimals: 2)) of \(name)"
        case .best(let kinds, let factor):
            "at most \(number(factor, decimals: 2)) of the best rival"
                + (kinds.contains(.tuned) ? ", weights and agent too" : " without weights")
        case .noFailures: "no failed request"
        }
    }
}

extension Table {
    /// Which goals were reached; those whose scenario or rules are not in the table are left out.
    public func goals() -> String {
        var lines = ["| scenario | goal | limit | byForecast | |", "| --- | --- | ---: | ---: | --- |"]
        for goal in Goal.all {
            guard let row = scenarios.firstIndex(where: { $0.name == goal.scenario }),
                let ours = place(of: "byForecast"),
                let limit = limit(of: goal, in: row)
            else { continue }
            let cell = cells[row][ours]
            let reached = goal.isAboutFailures ? Double(cell.failures) : cell.p99
            let verdict = reached <= limit ? "reached" : "**missed**"
            lines.append("| \(goal.scenario) | \(goal.text) | \(number(limit)) | \(number(reached)) | \(verdict) |")
        }
        return lines.joined(separator: "\n")
    }

    private func limit(of goal: Goal, in row: Int) -> Double? {
        switch goal.measure {
        case .rule(let name, let factor): place(of: name).map { cells[row][$0].p99 * factor }
        case .best(let kinds, let factor):
            contenders.indices.filter { kinds.contains(contenders[$0].kind) }.map { cells[row][$0].p99 }.min().map {
                $0 * factor
            }
        case .noFailures: 0
        }
    }

    private func place(of rule: String) -> Int? {
        contenders.firstIndex { $0.name == rule }
    }
}

extension Goal {
    fileprivate var isAboutFailures: Bool {
        if case .noFailures = measure { true } else { false }
    }
}
