// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandCandidacy

@Suite struct BySampleTests {
    @Test(arguments: [(1, 1), (3, 3), (5, 5), (2048, 5)])
    func keeps(most: Int, expected: Int) throws {
        let ids = try FakeTable(count: 5).decide(["bySample \(most)"]).ids
        #expect(ids.count == expected && Set(ids).count == expected)
    }

    /// Capacities 1 to 4 get first places in that proportion: 10,000 samples, five standard deviations.
    @Test func inProportionToCapacity() throws {
        let table = FakeTable((1...4).map { FakeServer(arriba: 400_000, capacity: UInt32($0) * 400) })
        var firsts = [0, 0, 0, 0]
        try table.decideOften(["bySample 2"], seeds: 0..<10_000) { firsts[Int($0[0].id)] += 1 }
        for (index, count) in firsts.enumerated() {
            let share = Double(index + 1) / 10
            #expect(abs(Double(count) - 10_000 * share) < 5 * (10_000 * share * (1 - share)).squareRoot())
        }
    }

    /// One without an announced capacity makes them all equal.
    @Test func equallyWithout() throws {
        let table = FakeTable([FakeServer(arriba: 400_000, capacity: 40_000), FakeServer()])
        var firsts = [0, 0]
        try table.decideOften(["bySample 1"], seeds: 0..<10_000) { firsts[Int($0[0].id)] += 1 }
        #expect(abs(firsts[0] - 5000) < 250)
    }
}
