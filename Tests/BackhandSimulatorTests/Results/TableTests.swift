// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandSimulator

struct TableTests {
    @Test(
        arguments: [
            (0.04, nil, "0.0"), (9.96, nil, "10.0"), (10.4, nil, "10"), (1234.5, 2, "1234.50"), (.infinity, nil, "-"),
        ] as [(Double, Int?, String)])
    func `numbers`(value: Double, decimals: Int?, expected: String) {
        #expect(number(value, decimals: decimals) == expected)
    }

    @Test func `one cell in each form`() throws {
        let scenario = Scenario.all[0]
        var table = Table(scenarios: [scenario], contenders: [Contender.all[0]])
        try table.fill(scenario, by: Trial(seconds: 20, warmUp: 5, runs: 1))
        let summary = table.cells[0][0]
        #expect(table.text(.p99).contains(number(summary.p99)))
        #expect(table.markdown(.mean).contains("**\(number(summary.mean))**"))
        #expect(table.csv().split(separator: "\n").count == 2)
        #expect(table.csv().contains("equal,\"httpd byrequests\",\(summary.requests),0,"))
        let read = try #require(Table(csv: table.csv() + table.csv()))
        #expect(read.text(.p99) == table.text(.p99) && read.goals() == table.goals())
        #expect(Table(csv: "equal,\"httpd byrequests\",1,2,3") == nil)
        let plot = table.svg(.p99)
        #expect(plot.hasPrefix("<svg") && plot.hasSuffix("</svg>\n") && plot.contains("httpd byrequests"))
    }
}
