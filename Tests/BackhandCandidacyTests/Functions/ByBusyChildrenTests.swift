// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

struct ByBusyChildrenTests {
    /// Workers and idle workers, the line, and the order.
    @Test(
        arguments: [
            ([], "byBusyChildren", []),
            ([(10, 5)], "byBusyChildren", [0]),
            ([(10, 5), (100, 98), (8, 8)], "byBusyChildren", [2, 1, 0]),
            ([(10, 5), (20, 15), (5, 0)], "byBusyChildren", [0, 1, 2]),
            // More idle than there are: none is busy.
            ([(1, 0), (0, 0), (0, 10), (-3, 5)], "byBusyChildren", [1, 2, 3, 0]),
            ([(.max, .min), (.min, .max), (.max, 0)], "byBusyChildren", [1, 2, 0]),
            ([(10, 5), (10, 6)], "byBusyChildren 1", [0, 1]),
            ([(10, 4), (10, 6)], "byBusyChildren 1", [1, 0]),
            ([(3, 0), (0, 0)], "byBusyChildren 4", [0, 1]),
            ([(.max, .min), (0, 0)], "byBusyChildren 1000000", [1, 0]),
        ] as [([(Int32, Int32)], String, [Int32])])
    func sortsByBusyWorkers(workers: [(Int32, Int32)], line: String, order: [Int32]) throws {
        let table = FakeTable(workers.map { FakeServer(workers: $0.0, idleWorkers: $0.1) })
        #expect(try table.decide([line]).ids == order)
    }
}
