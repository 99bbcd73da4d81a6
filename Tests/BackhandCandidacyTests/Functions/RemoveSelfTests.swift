// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

struct RemoveSelfTests {
    @Test(
        arguments: [
            (0, []), (1, []), (2, [1]), (5, [1, 2, 3, 4]),
        ] as [(Int, [Int32])])
    func removesRowZero(servers: Int, left: [Int32]) throws {
        #expect(try FakeTable(count: servers).decide(["removeSelf"]).ids == left)
    }

    @Test func removesItFromTheMiddle() throws {
        #expect(try FakeTable(loads: [2000, 1000, 3000]).decide(["byLoad", "removeSelf"]).ids == [1, 2])
    }

    @Test func removesNothingElse() throws {
        #expect(
            try FakeTable([FakeServer(heard: 0), FakeServer(), FakeServer()]).decide(["removeSelf"]).ids == [1, 2])
    }
}
