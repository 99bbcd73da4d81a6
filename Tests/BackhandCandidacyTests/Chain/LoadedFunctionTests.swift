// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandCandidacy

struct LoadedFunctionTests {
    /// Runs "byLoad, mine argument, byLoad" over servers with loads 500, 400, 300 …, so that byLoad turns the list
    /// round.
    private func decide(_ servers: Int, _ mine: bh_candidacy_fn) throws -> Outcome {
        let table = FakeTable(loads: (0..<servers).map { Int32(5000 - $0) })
        return table.decide(try Chain(["byLoad", "mine argument"], loaded: [1: mine]))
    }

    @Test func getsListContextAndArgument() throws {
        let chain = try Chain(
            ["mine some text"],
            loaded: [
                0: { context, servers, count, argument in
                    let seen = context!.assumingMemoryBound(to: Int32.self)
                    seen[0] = count.pointee
                    seen[1] = servers[1].id
                    seen[2] = Int32(argument![5])
                    return count.pointee
                }
            ])
        var seen: [Int32] = [0, 0, 0]
        let outcome = FakeTable(count: 3).decide(chain, context: &seen)
        #expect(seen == [3, 1, Int32(UInt8(ascii: "t"))])
        #expect(outcome.ids == [0, 1, 2] && outcome.fault == 0)
    }

    @Test func mayRemoveReorderAndAdd() throws {
        #expect(
            try decide(3) { _, _, count, _ in
                count.pointee = 1
                return 1
            }.ids == [2])
        #expect(
            try decide(3) { _, servers, count, _ in
                let first = servers[0]
                servers[0] = servers[2]
                servers[2] = first
                return count.pointee
            }.ids == [0, 1, 2])
        let added = FakeTable(count: 3).decide(
            try Chain(
                ["removeSelf", "mine"],
                loaded: [
                    1: { _, servers, count, _ in
                        servers[Int(count.pointee)].id = 0
                        count.pointee += 1
                        return count.pointee
                    }
                ]))
        // It wrote the id only: the rest of that entry is empty.
        #expect(added.ids == [1, 2, 0] && added.modes == [0, 0, 0] && added.hosts == [nil, nil, nil])
        #expect(added.counts == [3, 2, 3])
        #expect(
            try decide(3) { _, _, count, _ in
                count.pointee = 0
                return 0
            }.ids == [])
    }

    @Test func countDecidesNotTheReturnedNumber() throws {
        #expect(
            try decide(3) { _, _, count, _ in
                count.pointee = 2
                return 3
            }.ids == [2, 1])
    }

    /// Each of them damages the list, too: it must come back as it was.
    private static let faulty: [(bh_fault_t, bh_candidacy_fn)] = [
        (
            BH_FAULT_COUNT,
            { _, servers, count, _ in
                servers[0].id = 1
                count.pointee = -1
                return -1
            }
        ),
        (
            BH_FAULT_COUNT,
            { _, servers, count, _ in
                servers[0].id = 1
                count.pointee = MAXSERVERS + 1
                return 0
            }
        ),
        (
            BH_FAULT_COUNT,
            { _, _, count, _ in
                count.pointee = .max
                return 0
            }
        ),
        (
            BH_FAULT_ID,
            { _, servers, count, _ in
                servers[2].id = 5
                return count.pointee
            }
        ),
        (
            BH_FAULT_ID,
            { _, servers, count, _ in
                servers[0].id = -1
                return count.pointee
            }
        ),
        (
            BH_FAULT_ID,
            { _, servers, count, _ in
                servers[0].id = .max
                return count.pointee
            }
        ),
        (
            BH_FAULT_TWICE,
            { _, servers, count, _ in
                servers[0].id = servers[4].id
                return count.pointee
            }
        ),
        // Nothing was written behind the old count, where every id is 0.
        (
            BH_FAULT_TWICE,
            { _, _, count, _ in
                count.pointee += 1
                return count.pointee
            }
        ),
        (
            BH_FAULT_TWICE,
            { _, _, count, _ in
                count.pointee = MAXSERVERS
                return count.pointee
            }
        ),
        (
            BH_FAULT_MODE,
            { _, servers, count, _ in
                servers[4].mode = 2
                return count.pointee
            }
        ),
        (
            BH_FAULT_MODE,
            { _, servers, count, _ in
                servers[0].mode = -1
                return count.pointee
            }
        ),
        (
            BH_FAULT_CANARY,
            { _, servers, count, _ in
                servers[Int(MAXSERVERS)].id = 0
                return count.pointee
            }
        ),
        (
            BH_FAULT_CANARY,
            { _, servers, count, _ in
                servers[Int(MAXSERVERS) + 3].hostheader = nil
                return count.pointee
            }
        ),
    ]

    @Test(arguments: faulty.indices)
    func badResultIsIgnored(index: Int) throws {
        let (fault, function) = Self.faulty[index]
        let outcome = try decide(5, function)
        #expect(outcome.status == BH_OK.rawValue)
        #expect(outcome.ids == [4, 3, 2, 1, 0])
        #expect(outcome.counts == [5, 5, 5])
        #expect(outcome.fault == Int32(fault.rawValue))
        #expect(outcome.faultStep == 1)
    }

    @Test func idOfAnEmptyRowIsNone() throws {
        let table = FakeTable([FakeServer(), FakeServer(heard: 0), FakeServer()])
        let outcome = table.decide(
            try Chain(
                ["mine"],
                loaded: [
                    0: { _, servers, count, _ in
                        servers[1].id = 1
                        return count.pointee
                    }
                ]))
        #expect(outcome.ids == [0, 2] && outcome.fault == Int32(BH_FAULT_ID.rawValue))
    }

    @Test func lastFaultIsReportedAndTheChainGoesOn() throws {
        let lies: bh_candidacy_fn = { _, _, count, _ in
            count.pointee = -1
            return 0
        }
        let repeats: bh_candidacy_fn = { _, servers, count, _ in
            servers[0].id = 1
            return count.pointee
        }
        let table = FakeTable(loads: [3, 2, 1])
        let chain = try Chain(["one", "byLoad", "two", "removeSelf"], loaded: [0: lies, 2: repeats])
        let outcome = table.decide(chain)
        #expect(outcome.ids == [2, 1])
        #expect(outcome.fault == Int32(BH_FAULT_TWICE.rawValue) && outcome.faultStep == 2)
    }

    @Test func fullTable() throws {
        let reverse: bh_candidacy_fn = { _, servers, count, _ in
            var list = UnsafeMutableBufferPointer(start: servers, count: Int(count.pointee))
            list.reverse()
            return count.pointee
        }
        let outcome = FakeTable(count: 2048).decide(try Chain(["byLoad", "mine", "byLoad"], loaded: [1: reverse]))
        #expect(outcome.ids == (0..<2048).map { 2047 - $0 } && outcome.fault == 0)
    }

    @Test func modeAndHostMoveWithTheirServer() throws {
        let mark: bh_candidacy_fn = { _, servers, count, _ in
            for place in 0..<Int(count.pointee) {
                servers[place].mode = CChar(servers[place].id & 1)
                servers[place].hostheader = UnsafeMutablePointer(bitPattern: Int(servers[place].id) + 1)
            }
            return count.pointee
        }
        let table = FakeTable(loads: [3000, 1000, 2000, 500, 800])
        for last in ["byLoad", "byRandom", "byCost", "byCPU", "byLogWindow", "removeSelf", "byAge 6", "byBusyChildren"]
        {
            let outcome = table.decide(try Chain(["mine", last], loaded: [0: mark]))
            #expect(outcome.ids.count > 0)
            #expect(outcome.modes == outcome.ids.map { CChar($0 & 1) }, "\(last)")
            #expect(outcome.hosts == outcome.ids.map { UnsafeMutablePointer(bitPattern: Int($0) + 1) }, "\(last)")
        }
    }

    private static let damages: bh_candidacy_fn = { context, servers, count, _ in
        context?.assumingMemoryBound(to: Int.self).pointee += 1
        servers[Int(MAXSERVERS)].id = 7
        servers[0].id = 1
        count.pointee = 1
        return 1
    }

    @Test func whatDamagesMemoryIsNotCalledAgain() throws {
        var (broken, calls) = (UInt32(0), 0)
        let chain = try Chain(["mine", "byLoad"], loaded: [0: Self.damages], broken: &broken)
        let table = FakeTable(loads: [3, 2, 1])
        let first = table.decide(chain, context: &calls)
        #expect(first.ids == [2, 1, 0] && first.fault == Int32(BH_FAULT_CANARY.rawValue) && broken == 1)
        for _ in 0..<3 {
            let next = table.decide(chain, context: &calls)
            #expect(next.ids == [2, 1, 0] && next.counts == [3, 3, 3] && next.fault == 0)
        }
        #expect(calls == 1)
        // A restart: the word is a new one.
        broken = 0
        #expect(table.decide(chain, context: &calls).fault == Int32(BH_FAULT_CANARY.rawValue) && calls == 2)
    }

    @Test func damageIsToldBeforeAnythingElseAndOnce() throws {
        let lies: bh_candidacy_fn = { _, _, count, _ in
            count.pointee = -1
            return 0
        }
        var broken = UInt32(0)
        let chain = try Chain(["lies", "damages", "lies"], loaded: [0: lies, 1: Self.damages, 2: lies])
        let outcome = FakeTable(count: 3).decide(chain)
        #expect(outcome.ids == [0, 1, 2] && outcome.fault == Int32(BH_FAULT_CANARY.rawValue) && outcome.faultStep == 1)
        // Another child was faster: the result is ignored here too, and nothing is told.
        let breaks: bh_candidacy_fn = { context, servers, count, _ in
            context!.assumingMemoryBound(to: UInt32.self).pointee = 1
            servers[Int(MAXSERVERS)].id = 7
            count.pointee = 0
            return 0
        }
        let late = FakeTable(count: 3).decide(
            try Chain(["mine"], loaded: [0: breaks], broken: &broken), context: &broken)
        #expect(late.ids == [0, 1, 2] && late.fault == 0)
    }

    @Test func cannotBringBackARefusingServer() throws {
        let addTwo: bh_candidacy_fn = { _, servers, count, _ in
            for place in 0..<Int(count.pointee) where servers[place].id == 2 { return count.pointee }
            servers[Int(count.pointee)].id = 2
            count.pointee += 1
            return count.pointee
        }
        let table = FakeTable([FakeServer(), FakeServer(), FakeServer(backoff: FakeTable.now + 500)])
        let kept = table.decide(try Chain(["mine"], loaded: [0: addTwo]))
        #expect(kept.ids == [0, 1] && kept.fault == 0 && !kept.lastResort)
        // Unless nobody else is left.
        let onlyTwo: bh_candidacy_fn = { _, servers, count, _ in
            servers[0].id = 2
            count.pointee = 1
            return 1
        }
        let last = table.decide(try Chain(["mine"], loaded: [0: onlyTwo]))
        #expect(last.ids == [2] && last.lastResort)
    }

    @Test func refusalDuringTheRunCountsToo() throws {
        // Between the beginning of the run and the function's return another child met a refusal.
        let refuse: bh_candidacy_fn = { context, servers, count, _ in
            let segment = context!.assumingMemoryBound(to: bh_segment_t.self)
            bh_word_store(&bh_segment_row_mutable(segment, 1).pointee.backoff_until_ms, FakeTable.now + 1000)
            servers[0].id = 1
            count.pointee = 1
            return 1
        }
        let table = FakeTable(count: 2)
        let outcome = table.decide(try Chain(["mine"], loaded: [0: refuse]), context: table.segment)
        #expect(outcome.ids == [1] && outcome.lastResort)
    }

    @Test func workspaceHasRoomForEveryServer() throws {
        let table = FakeTable(count: 1)
        let chain = try Chain(["mine"], loaded: [0: { _, _, count, _ in count.pointee }])
        let size = table.workspaceSize(chain)
        #expect(size >= Int(MAXSERVERS) * 40)
        #expect(table.decide(chain, size: size - 1).status == BH_ESPACE.rawValue)
    }
}
