// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

struct ByCPUTests {
    @Test(
        arguments: [
            ([], []),
            ([500], [0]),
            ([100, 900, 500], [1, 2, 0]),
            ([700, 700, 700], [0, 1, 2]),
            ([-1, 0, .min], [0, 1, 2]),
            ([1000, 1001, .max], [0, 1, 2]),
            ([.min, .max, 999, 1], [1, 2, 3, 0]),
        ] as [([Int32], [Int32])])
    func sortsByIdleShare(shares: [Int32], order: [Int32]) throws {
        #expect(try FakeTable(shares.map { FakeServer(cpu: $0) }).decide(["byCPU"]).ids == order)
    }
}
