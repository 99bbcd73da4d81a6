// Licensed under the Apache License, Version 2.0; see LICENSE.

/// A number of ``Summary``.
public enum Figure: String, CaseIterable, Sendable {
    case mean, p50, p90, p99, p999, failures, sent

    func of(_ summary: Summary) -> Double {
        switch self {
        case .mean: summary.mean
        case .p50: summary.p50
        case .p90: summary.p90
        case .p99: summary.p99
        case .p999: summary.p999
        case .failures: Double(summary.failures)
        case .sent: 100 * Double(summary.sentOn) / Double(max(1, summary.requests))
        }
    }
}

/// All cells: rules by scenarios.
public struct Table {
    let scenarios: [Scenario]
    let contenders: [Contender]
    /// By scenario, then by contender.
    private(set) var cells: [[Summary]] = []

    /// An empty table of these scenarios and rules.
    public init(scenarios: [Scenario], contenders: [Contender]) {
        self.scenarios = scenarios
        self.contenders = contenders
    }

    /// What ``csv()`` of one or more tables wrote: the scenarios and rules that stand there, in the order of the
    /// program. Nothing is simulated.
    ///
    /// - Returns: nil if a line is none of a table's, or a cell is missing.
    public init?(csv: String) {
        var found: [String: [String: Summary]] = [:]
        for line in csv.split(separator: "\n") where !line.hasPrefix("scenario,") {
            guard let (scenario, rule, summary) = Self.cell(line) else { return nil }
            found[scenario, default: [:]][rule] = summary
        }
        let rules = Set(found.values.flatMap(\.keys))
        self.init(
            scenarios: Scenario.all.filter { found[$0.name] != nil },
            contenders: Contender.all.filter { rules.contains($0.name) })
        for scenario in scenarios {
            let row = contenders.compactMap { found[scenario.name]?[$0.name] }
            guard row.count == contenders.count else { return nil }
            cells.append(row)
        }
    }

    /// scenario,"rule",requests,failures,mean,p50,p90,p99,p999,shares
    private static func cell(_ line: Substring) -> (scenario: String, rule: String, Summary)? {
        let parts = line.split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let figures = parts[2].split(separator: ",")
        guard figures.count >= 7, let requests = Int(figures[0]), let failures = Int(figures[1]) else { return nil }
        let times = figures[2..<7].compactMap { Double($0) }
        guard times.count == 5 else { return nil }
        let summary = Summary(
            requests: requests, failures: failures, mean: times[0], p50: times[1], p90: times[2], p99: times[3],
            p999: times[4], shares: [], sentOn: 0)
        return (String(parts[0].dropLast()), String(parts[1]), summary)
    }

    /// Runs all contenders in the next scenario; call it once for each, in their order.
    public mutating func fill(_ scenario: Scenario, by trial: Trial) throws {
        cells.append(try contenders.map { try trial.run($0, in: scenario) })
    }

    /// For people at a terminal.
    public func text(_ figure: Figure) -> String {
        let heads = scenarios.map(\.name)
        let first = (contenders.map(\.name.count).max() ?? 0) + 2
        var lines = [padded("", first) + heads.map { aligned($0, $0.count + 2) }.joined()]
        for (row, contender) in contenders.enumerated() {
            let figures = cells.indices.map { aligned(number(figure.of(cells[$0][row])), max(heads[$0].count + 2, 8)) }
            lines.append(padded(contender.name, first) + figures.joined())
        }
        lines[0] = padded("", first) + heads.map { aligned($0, max($0.count + 2, 8)) }.joined()
        return lines.joined(separator: "\n")
    }

    /// For a document, eight scenarios side by side; the best of those that can be installed is bold.
    public func markdown(_ figure: Figure) -> String {
        stride(from: 0, to: scenarios.count, by: 8).map { first in
            part(figure, first..<min(first + 8, scenarios.count))
        }.joined(separator: "\n\n")
    }

    private func part(_ figure: Figure, _ columns: Range<Int>) -> String {
        var lines = ["| rule | " + columns.map { scenarios[$0].name }.joined(separator: " | ") + " |"]
        lines.append("| --- |" + columns.map { _ in " ---: |" }.joined())
        let rivals = contenders.indices.filter { contenders[$0].kind != .control }
        let best = columns.map { column in rivals.map { figure.of(cells[column][$0]) }.min().map { number($0) } }
        for (row, contender) in contenders.enumerated() {
            let figures = columns.map { column in
                let shown = number(figure.of(cells[column][row]))
                return shown == best[column - columns.lowerBound] && contender.kind != .control ? "**\(shown)**" : shown
            }
            lines.append("| \(contender.name) | " + figures.joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n")
    }

    /// Every figure of every cell.
    public func csv() -> String {
        var lines = ["scenario,rule,requests,failures,mean_ms,p50_ms,p90_ms,p99_ms,p999_ms,shares"]
        for (scenario, cell) in zip(scenarios, cells) {
            for (contender, one) in zip(contenders, cell) {
                let figures = [one.mean, one.p50, one.p90, one.p99, one.p999].map { number($0, decimals: 3) }
                let shares = one.shares.map {
                    number(Double($0) / Double(max(1, one.shares.reduce(0, +))), decimals: 3)
                }
                lines.append(
                    "\(scenario.name),\"\(contender.name)\",\(one.requests),\(one.failures),"
                        + figures.joined(separator: ",") + ","
                        + shares.joined(separator: " "))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func aligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    func svg(_ figure: Figure, _ body: (([String], [String], [[Double]]) -> String)) -> String {
        body(scenarios.map(\.name), contenders.map(\.name), cells.map { $0.map(figure.of) })
    }

    /// The same as a plot: one row a scenario, one mark a rule, over a logarithmic axis.
    public func svg(_ figure: Figure) -> String {
        svg(figure) { Plot(rows: $0, series: $1, values: $2).text }
    }
}

/// A number that is not negative, with three decimals.
public func decimal(_ value: Double) -> String { number(value, decimals: 3) }

/// The same with a fixed number of decimals; without one, what is below 10 gets one.
func number(_ value: Double, decimals: Int? = nil) -> String {
    let decimals = decimals ?? (value < 10 ? 1 : 0)
    guard value.isFinite, value < 1e12 else { return "-" }
    let scale = power(10, Double(decimals))
    let scaled = Int((value * scale).rounded())
    guard decimals > 0 else { return "\(scaled)" }
    let fraction = "\(scaled % Int(scale))"
    return "\(scaled / Int(scale))." + String(repeating: "0", count: decimals - fraction.count) + fraction
}
