// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

struct ByLoadTests {
    @Test(
        arguments: [
            ([], "byLoad", []),
            ([5000], "byLoad", [0]),
            ([3000, 1000, 2000], "byLoad", [1, 2, 0]),
            ([1000, 1000, 1000], "byLoad", [0, 1, 2]),
            ([2000, 1000, 2000, 1000], "byLoad", [1, 3, 0, 2]),
            ([0, -5, .min, 1], "byLoad", [0, 1, 2, 3]),
            ([.max, .max - 1, 0, .min], "byLoad", [2, 3, 1, 0]),
            // The bias is for self, and strict.
            ([1500, 1000, 400], "byLoad 0.499", [2, 1, 0]),
            ([1500, 1000, 400], "byLoad 0.5", [2, 0, 1]),
            ([1500, 1000, 400], "byLoad 1.101", [0, 2, 1]),
            ([500, 0, 0], "byLoad 1", [0, 1, 2]),
            ([.max, 1000], "byLoad 1000", [1, 0]),
            ([.min, 0], "byLoad 1000", [0, 1]),
            ([1000, 0], "byLoad 0", [1, 0]),
        ] as [([Int32], String, [Int32])])
    func sortsByLoad(loads: [Int32], line: String, order: [Int32]) throws {
        #expect(try FakeTable(loads: loads).decide([line]).ids == order)
    }

    @Test func biasFollowsSelf() throws {
        // Self is not at the front of the list when the biased sort begins.
        let table = FakeTable(loads: [1500, 1000, 400])
        #expect(try table.decide(["byLoad", "byLoad 1.2"]).ids == [0, 2, 1])
    }
}
