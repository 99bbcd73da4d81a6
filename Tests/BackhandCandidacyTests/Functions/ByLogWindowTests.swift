// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

struct ByLogWindowTests {
    @Test(arguments: [
        (0, 0), (1, 1), (2, 1), (3, 1), (4, 2), (7, 2), (8, 3), (15, 3), (16, 4), (17, 4), (1023, 9), (1024, 10),
        (2047, 10),
        (2048, 11),
    ])
    func keepsTheFirstLogarithm(servers: Int, left: Int) throws {
        #expect(try FakeTable(count: servers).decide(["byLogWindow"]).ids == (0..<Int32(left)).map { $0 })
    }

    @Test func keepsTheOrder() throws {
        #expect(try FakeTable(loads: [4, 3, 2, 1]).decide(["byLoad", "byLogWindow"]).ids == [3, 2])
    }
}
