// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

struct AddSelfTests {
    @Test func appendsSelfAtTheEnd() throws {
        let outcome = try FakeTable(count: 3).decide(["removeSelf", "addSelf"])
        #expect(outcome.ids == [1, 2, 0])
        #expect(outcome.counts == [3, 2, 3])
    }

    @Test func leavesSelfWhereItIs() throws {
        #expect(try FakeTable(count: 3).decide(["addSelf"]).ids == [0, 1, 2])
        // A row is empty, so there would be room for a second one.
        let gap = FakeTable([FakeServer(), FakeServer(heard: 0), FakeServer()])
        #expect(try gap.decide(["addSelf"]).ids == [0, 2])
        let loads = FakeTable(loads: [2000, 1000, 3000])
        #expect(try loads.decide(["byLoad", "addSelf", "addSelf"]).ids == [1, 0, 2])
    }

    @Test func fillsAnEmptyList() throws {
        #expect(try FakeTable(count: 1).decide(["removeSelf", "addSelf"]).ids == [0])
    }

    @Test func addsSelfHoweverOld() throws {
        let table = FakeTable([FakeServer(heard: 1), FakeServer()])
        #expect(try table.decide(["byAge 6", "addSelf"]).ids == [1, 0])
    }

    @Test func doesNotInventSelf() throws {
        let table = FakeTable([FakeServer(heard: 0), FakeServer()])
        #expect(try table.decide(["addSelf"]).ids == [1])
        #expect(try FakeTable([FakeServer(heard: 0)]).decide(["addSelf"]).ids == [])
        #expect(try FakeTable([]).decide(["addSelf"]).ids == [])
    }
}
