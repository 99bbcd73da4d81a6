// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

struct ByAgeTests {
    /// Ages in milliseconds, the line, and who is left.
    @Test(
        arguments: [
            ([], "byAge", []),
            ([0], "byAge", [0]),
            ([20_000], "byAge", [0]),
            ([20_001], "byAge", []),
            ([0, 6000, 6001, 5999], "byAge 6", [0, 1, 3]),
            ([2500, 2501], "byAge 2.5", [0]),
            ([1, 2], "byAge 0.001", [0]),
            ([86_400_000, 86_400_001], "byAge 86400", [0]),
            ([999_999, 0, 999_999], "byAge", [1]),
            ([7000, 7000, 7000], "byAge 6", []),
        ] as [([UInt64], String, [Int32])])
    func keepsTheYoung(ages: [UInt64], line: String, left: [Int32]) throws {
        let now: UInt64 = 1_000_000_000
        let table = FakeTable(ages.map { FakeServer(heard: now - $0) })
        #expect(try table.decide([line], now: now).ids == left)
    }

    @Test(arguments: [FakeTable.now + 1, FakeTable.now + 1_000_000_000, UInt64.max])
    func futureIsAgeZero(heard: UInt64) throws {
        #expect(try FakeTable([FakeServer(heard: heard)]).decide(["byAge 0.001"]).ids == [0])
    }

    @Test func neverTrapsAtTheEndsOfTime() throws {
        let table = FakeTable([FakeServer(heard: 1), FakeServer(heard: .max)])
        #expect(try table.decide(["byAge"], now: .max).ids == [1])
        #expect(try table.decide(["byAge"], now: 0).ids == [0, 1])
    }
}
