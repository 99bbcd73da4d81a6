// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

/// What a decision makes of doubts.
@Suite struct DoubtTests {
    /// f: fails half, F: fails everything, w: wrong answers, .: nothing. Never more than half for failing half; those
    /// that fail everything, or give wrong answers, whatever the others do.
    @Test(
        arguments: [
            ("f.", [1, 0]), (".f.", [0, 2, 1]), ("ff..", [2, 3, 0, 1]), ("ff.", [0, 1, 2]), ("fff.", [0, 1, 2, 3]),
            ("FF.", [2, 0, 1]), ("FFF.", [3, 0, 1, 2]),
            ("FFf.", [2, 3, 0, 1]), ("ww.", [2, 0, 1]), ("wff.", [3, 0, 1, 2]), ("fff", [0, 1, 2]), ("FF", [0, 1]),
            ("f", [0]),
        ] as [(String, [Int32])])
    func askedLast(servers: String, expected: [Int32]) throws {
        let doubts: [Character: [bh_doubt_t]] = [
            "f": [BH_DOUBT_FAILING], "F": [BH_DOUBT_FAILING, BH_DOUBT_FAILS], "w": [BH_DOUBT_WRONG], ".": [],
        ]
        let table = FakeTable(servers.map { FakeServer(doubts: doubts[$0]!) })
        #expect(try table.decide([]).ids == expected)
        #expect(try table.decide(["byAge 6"]).ids == expected)
    }

    /// Of a chain with a slot of its own only that one's.
    @Test func byChain() throws {
        let table = FakeTable(count: 2)
        _ = bh_doubt_begin(bh_segment_row_mutable(table.segment, 0), 3, BH_DOUBT_WRONG.rawValue, FakeTable.now + 1)
        #expect(table.decide(try Chain([]), number: 3).ids == [1, 0])
        #expect(table.decide(try Chain([]), number: 4).ids == [0, 1])
        #expect(table.decide(try Chain([]), number: 0).ids == [0, 1])
    }

    /// When it is time, one request finds it in its place, and first where time decides; one that is not repeatable
    /// only long after.
    @Test(
        arguments: [(0, true, true), (1, true, false), (0, false, false), (-30_000, false, true)]
            as [(Int64, Bool, Bool)])
    func probes(due: Int64, repeatable: Bool, isProbed: Bool) throws {
        let probe = UInt64(Int64(FakeTable.now) + due)
        let table = FakeTable([
            FakeServer(time: 1000), FakeServer(doubts: [BH_DOUBT_WRONG], probe: probe, time: 90_000),
            FakeServer(time: 1000),
        ])
        for chain in ["byLeastTime", "default"] {
            let outcome = table.decide(try Chain([chain]), repeatable: repeatable)
            #expect(outcome.probe == isProbed && (outcome.ids.first == 1) == isProbed && outcome.ids.count == 3)
        }
        #expect(table.decide(try Chain([]), repeatable: repeatable).ids == (isProbed ? [0, 1, 2] : [0, 2, 1]))
        #expect(!table.decide(try Chain([]), repeatable: repeatable).probe)
        let row = bh_segment_row_mutable(table.segment, 1)
        #expect(bh_probe_claim(row, 0, FakeTable.now, repeatable) == isProbed)
        #expect(!bh_probe_claim(row, 0, FakeTable.now, repeatable), "the second one comes too late")
    }

    /// A session finds its server whatever is said of it.
    @Test func sessions() throws {
        let table = FakeTable([
            FakeServer(), FakeServer(doubts: [BH_DOUBT_FAILING, BH_DOUBT_FAILS], address: "10.0.0.4", port: 80),
        ])
        for repeatable in [true, false] {
            let outcome = table.decide(
                try Chain(["bySession", "default"]), cookie: "PHPSESSID=0a000004-0050-5f", repeatable: repeatable)
            #expect(outcome.ids == [1] && outcome.choices == 1)
        }
    }

    /// Among how many the chain was free to choose.
    @Test(
        arguments: [
            ([], 4), (["byRandom", "byLogWindow"], 4), (["bySample 1"], 4), (["removeSelf"], 3),
            (["removeSelf", "addSelf"], 4), (["byHealth"], 4), (["default"], 4),
        ] as [([String], UInt32)])
    func choices(chain: [String], expected: UInt32) throws {
        let table = FakeTable([FakeServer(), FakeServer(doubts: [BH_DOUBT_FAILING]), FakeServer(), FakeServer()])
        #expect(try table.decide(chain).choices == expected)
        #expect(table.decide(try Chain(chain), tried: [2]).choices == expected - 1)
    }
}
