// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandCandidacy

struct DecideTests {
    @Test func startsFromAllRowsInOrder() throws {
        let outcome = try FakeTable(count: 4).decide([])
        #expect(outcome.ids == [0, 1, 2, 3])
        #expect(outcome.counts == [4])
        #expect(!outcome.lastResort && outcome.fault == 0)
        #expect(outcome.modes == [0, 0, 0, 0] && outcome.hosts == [nil, nil, nil, nil])
    }

    @Test func emptyRowsAreNoServers() throws {
        let empty = FakeServer(heard: 0)
        #expect(try FakeTable([]).decide(["byLoad"]).ids == [])
        #expect(try FakeTable([empty, empty]).decide(["byRandom", "byLogWindow"]).ids == [])
        #expect(try FakeTable([empty, FakeServer(), empty, FakeServer()]).decide([]).ids == [1, 3])
    }

    @Test func countsEveryStep() throws {
        let table = FakeTable(loads: (0..<16).map { 1000 - $0 })
        let outcome = try table.decide(["byAge 6", "removeSelf", "byLogWindow", "byLoad", "addSelf"])
        #expect(outcome.counts == [16, 16, 15, 3, 3, 4])
        #expect(outcome.ids == [3, 2, 1, 0])
    }

    @Test func rowsThatAppearedAreNotConsidered() throws {
        let table = FakeTable(count: 3)
        let chain = try Chain(["removeSelf", "addSelf", "byLoad"])
        let size = table.workspaceSize(chain)
        for id in 3..<100 as Range<UInt32> { table.set(id, FakeServer()) }
        bh_half_store(&table.segment.pointee.rows, 100)
        #expect(table.decide(chain, size: size).ids == [1, 2, 0])
    }

    @Test func biggerRowCountThanTheTable() throws {
        let table = FakeTable(count: 5)
        bh_half_store(&table.segment.pointee.rows, .max)
        let outcome = try table.decide(["byRandom", "byLogWindow"])
        #expect(outcome.counts == [5, 5, 2])
        let whole = try table.decide(["byLoad"])
        #expect(whole.ids == [0, 1, 2, 3, 4])
    }

    @Test func tooSmallWorkspace() throws {
        let table = FakeTable(count: 1)
        let chain = try Chain(["byLoad"])
        let needed = table.workspaceSize(chain)
        #expect(table.decide(chain, size: needed).status == BH_OK.rawValue)
        #expect(table.decide(chain, size: needed - 1).status == BH_ESPACE.rawValue)
        #expect(table.decide(chain, size: 8).status == BH_ESPACE.rawValue)
        #expect(FakeTable([]).workspaceSize(chain) == needed)
    }

    @Test(arguments: [-1, CandidacyFunction.lastID + 1, 1000, .max, .min] as [Int32])
    func unknownFunctionIsRefused(id: Int32) {
        var step = bh_step_t()
        step.function = id
        #expect(FakeTable(count: 1).decide(Chain(steps: [step])).status == BH_EINVAL.rawValue)
    }

    @Test func loadedStepWithoutFunctionIsRefused() {
        #expect(FakeTable(count: 1).decide(Chain(steps: [bh_step_t()])).status == BH_EINVAL.rawValue)
    }

    @Test func longestChain() throws {
        let table = FakeTable(count: 9)
        let longest = try table.decide(Array(repeating: "byRandom", count: Int(BH_STEPS_MAX)))
        #expect(longest.counts == Array(repeating: 9, count: Int(BH_STEPS_MAX) + 1))
        let tooLong = try table.decide(Array(repeating: "byRandom", count: Int(BH_STEPS_MAX) + 1))
        #expect(tooLong.status == BH_EINVAL.rawValue)
    }

    @Test func misalignedWorkspaceIsRefused() throws {
        let table = FakeTable(count: 1)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
        defer { memory.deallocate() }
        var decision = bh_decision_t()
        var request = FakeTable.request()
        let chain = try Chain(["byLoad"])
        let odd = UnsafeMutableRawBufferPointer(rebasing: memory[4...])
        let status = withExtendedLifetime((table, chain)) {
            BackhandCandidacy.decide(table.segment, chain.steps, &request, odd, &decision)
        }
        #expect(status == BH_EINVAL)
        #expect(decision.servers == nil)
    }

    private static let chain = [
        "byAge 6", "byRandom", "byCost", "removeSelf", "byCPU", "byBusyChildren 3", "addSelf", "byLoad 0.5",
        "byLogWindow",
    ]

    @Test(arguments: 0..<5 as Range<UInt64>)
    func noiseNeitherTrapsNorInventsServers(seed: UInt64) throws {
        let table = FakeTable([])
        table.fillWithNoise(seed: seed)
        for rows in [0, 1, 2, 17, 300, 2048, .max] as [UInt32] {
            bh_half_store(&table.segment.pointee.rows, rows)
            for length in 1...Self.chain.count {
                let lines = Array(Self.chain.prefix(length))
                let outcome = try table.decide(lines, seed: seed)
                #expect(outcome.status == BH_OK.rawValue)
                #expect(Set(outcome.ids).count == outcome.ids.count)
                let known = outcome.ids.filter { id in
                    id >= 0 && id < min(rows, UInt32(BH_ROWS))
                        && bh_row_heard(bh_segment_row(table.segment, UInt32(id))) != 0
                }
                #expect(known == outcome.ids)
                let again = try table.decide(lines, seed: seed)
                #expect(outcome == again)
            }
        }
    }

    @Test func seedDecides() throws {
        let table = FakeTable(count: 100)
        let chain = ["byRandom", "byLogWindow"]
        #expect(try table.decide(chain, seed: 5) == table.decide(chain, seed: 5))
        #expect(try table.decide(chain, seed: 5).ids != table.decide(chain, seed: 6).ids)
    }

    @Test func whatAFunctionWritesCounts() throws {
        let table = FakeTable(loads: [1000, 2000])
        #expect(try table.decide(["byLoad"]).ids == [0, 1])
        bh_public_store(&bh_segment_public_mutable(table.segment, 0).pointee.load, 3000)
        #expect(try table.decide(["byLoad"]).ids == [1, 0])
    }
}
