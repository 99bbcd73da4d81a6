// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

struct ByRandomTests {
    private static let seeds: Range<UInt64> = 0..<100_000

    @Test(arguments: [1, 0x1_0000_0000, 0x9e37_79b9_7f4a_7c15] as [UInt64])
    func eachOfFiveIsFirstEquallyOften(stride: UInt64) throws {
        var firsts = Array(repeating: 0, count: 5)
        try FakeTable(count: 5).decideOften(["byRandom"], seeds: Self.seeds, stride: stride) {
            firsts[Int($0[0].id)] += 1
        }
        for count in firsts { #expect(abs(count - 20_000) <= 600) }
    }

    @Test func eachOrderOfThreeIsEquallyLikely() throws {
        var orders = Array(repeating: 0, count: 27)
        try FakeTable(count: 3).decideOften(["byRandom"], seeds: Self.seeds) {
            let (first, second, third) = (Int($0[0].id), Int($0[1].id), Int($0[2].id))
            orders[9 * first + 3 * second + third] += 1
        }
        let seen = orders.filter { $0 > 0 }
        #expect(seen.count == 6)
        for count in seen { #expect(abs(count - 16_667) <= 500) }
    }

    @Test func windowHoldsEachServerEquallyOften() throws {
        var inWindow = Array(repeating: 0, count: 16)
        try FakeTable(count: 16).decideOften(["byRandom", "byLogWindow"], seeds: Self.seeds) {
            for place in 0..<4 { inWindow[Int($0[place].id)] += 1 }
        }
        #expect(inWindow.reduce(0, +) == 400_000)
        for count in inWindow { #expect(abs(count - 25_000) <= 750) }
    }

    /// With four of sixteen in the window, the k-th best (from 0) is the best in it with probability C(15-k, 3)/C(16,
    /// 4).
    @Test func bestOfTheWindowServes() throws {
        var served = Array(repeating: 0, count: 16)
        try FakeTable(loads: (0..<16).map { $0 * 100 })
            .decideOften(["byRandom", "byLogWindow", "byLoad"], seeds: Self.seeds) { served[Int($0[0].id)] += 1 }
        for (rank, count) in served.enumerated() {
            let better = Double((15 - rank) * (14 - rank) * (13 - rank)) / 6
            let expected = better / 1820 * Double(Self.seeds.count)
            // Four and a half standard deviations.
            #expect(abs(Double(count) - expected) <= 4.5 * expected.squareRoot(), "rank \(rank)")
        }
    }

    @Test func twoStepsOfAChainDrawDifferently() throws {
        // If both drew the same sequence, the second would make the same permutation of the first's result.
        let table = FakeTable(count: 8)
        let (one, two) = (try Chain(["byRandom"]), try Chain(["byRandom", "byRandom"]))
        var same = 0
        for seed in 0..<100 as Range<UInt64> {
            let first = table.decide(one, seed: seed).ids
            let again = first.map { first[Int($0)] }
            same += again == table.decide(two, seed: seed).ids ? 1 : 0
        }
        #expect(same < 3)
    }

    @Test(arguments: [0, 1, 2, 3, 100, 2048])
    func isAPermutation(servers: Int) throws {
        let table = FakeTable(count: servers)
        for seed in [0, 1, .max] as [UInt64] {
            let ids = try table.decide(["byRandom"], seed: seed).ids
            #expect(ids.sorted() == (0..<Int32(servers)).map { $0 })
            #expect(servers < 100 || ids != ids.sorted())
        }
    }
}
