// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandCandidacy

/// Times are those of the chain that runs: requests of very different cost do not tell of each other.
@Suite struct TimesTests {
    private let first: UInt64 = 20_000
    private let second: UInt64 = 80_000

    /// For chain 1 server 0 is the faster one, for chain 2 server 1; all others share what server 1 is faster in by
    /// much.
    private var table: FakeTable {
        let table = FakeTable([
            FakeServer(arriba: 400_000, capacity: 1600, mean: 3), FakeServer(arriba: 400_000, capacity: 1600, mean: 3),
        ])
        let now = FakeTable.now * 1000
        for (id, chain, time) in [
            (0, 1, first), (1, 1, second), (0, 2, second), (1, 2, first), (0, 0, 900_000), (1, 0, first),
        ] as [(UInt32, UInt32, UInt64)] {
            noteTime(
                table.segment, id, chain: chain, nowMicroseconds: now, firstByte: 0, whole: time, kind: BH_CLASS_GOOD)
        }
        return table
    }

    @Test(
        arguments: ["byLeastTime", "byForecast"],
        [(1, 0), (2, 1), (0, 1), (8, 1), (9, 1), (.max, 1)] as [(UInt32, Int32)])
    func eachChainHasItsOwn(function: String, expected: (chain: UInt32, fastest: Int32)) throws {
        #expect(table.decide(try Chain([function]), number: expected.chain).ids.first == expected.fastest)
    }

    /// A chain without times of its own knows nothing: what others took says nothing about it.
    @Test func nothingIsTakenFromOthers() throws {
        let table = table
        for seed in 0..<40 as Range<UInt64>
        where table.decide(try Chain(["byLeastTime"]), seed: seed, number: 3).ids.first == 0 { return }
        Issue.record("server 0 was never the first")
    }

    /// Each number below BH_CHAINS has a word of its own; all others share that of 0.
    @Test func slots() {
        let table = FakeTable(count: 1)
        let row = bh_segment_row_mutable(table.segment, 0)
        let words = (0..<UInt32(BH_CHAINS)).map { bh_row_latency(row, $0) }
        #expect(Set(words).count == Int(BH_CHAINS))
        for chain in [UInt32(BH_CHAINS), 9, 100, .max] { #expect(bh_chain_slot(chain) == 0) }
        for chain in 0..<UInt32(BH_CHAINS) { #expect(bh_chain_slot(chain) == chain) }
    }

    /// Failures are the chain's: what one asks for in vain says nothing of the others' requests.
    @Test func failuresAreTheChains() throws {
        let table = FakeTable([FakeServer(), FakeServer(), FakeServer()])
        _ = bh_doubt_begin(bh_segment_row_mutable(table.segment, 1), 5, BH_DOUBT_FAILING.rawValue, FakeTable.now + 1000)
        #expect(table.decide(try Chain(["byHealth"]), number: 5).ids == [0, 2])
        #expect(table.decide(try Chain(["byHealth"]), number: 2).ids == [0, 1, 2])
    }

    /// A quick answer of a class that is no evidence makes no server quicker; a slow one makes it slower; a failure is
    /// no time at all.
    @Test(
        arguments: [
            (BH_CLASS_GOOD, 1000, 10_500), (BH_CLASS_WRONG, 1000, 20_000), (BH_CLASS_UNCHANGED, 1000, 20_000),
            (BH_CLASS_ELSEWHERE, 1000, 20_000),
            (BH_CLASS_WRONG, 40_000, 30_000), (BH_CLASS_FAILED, 1000, 20_000), (BH_CLASS_FAILED, 9_000_000, 20_000),
        ] as [(bh_class_t, UInt64, UInt64)])
    func classes(kind: bh_class_t, time: UInt64, expected: UInt64) {
        let table = FakeTable(count: 2)
        let row = bh_segment_row_mutable(table.segment, 1)
        noteTime(table.segment, 1, chain: 3, nowMicroseconds: 1 << 40, firstByte: 0, whole: time, kind: BH_CLASS_WRONG)
        #expect(bh_word_load(bh_row_latency(row, 3)) == 0, "no time before the first answer that is one")
        noteTime(table.segment, 1, chain: 3, nowMicroseconds: 1 << 40, firstByte: 0, whole: 20_000, kind: BH_CLASS_GOOD)
        noteTime(
            table.segment, 1, chain: 3, nowMicroseconds: 1 << 40 + 1_000_000, firstByte: 0, whole: time, kind: kind)
        #expect(bh_mean_value(bh_word_load(bh_row_latency(row, 3))) == expected)
        bh_half_store(&row.pointee.counted, bh_counted_bit(3, BH_CLASS_WRONG.rawValue))
        noteTime(
            table.segment, 1, chain: 3, nowMicroseconds: 1 << 40 + 9_000_000, firstByte: 0, whole: 1000,
            kind: BH_CLASS_WRONG)
        #expect(bh_mean_value(bh_word_load(bh_row_latency(row, 3))) < expected, "where the others give it too")
    }

    /// Of which so many answers of a class are known that tells nothing yet, and no time; server 1 is known to take 20
    /// ms.
    private func untimed(
        answers: UInt32, kind: bh_class_t = BH_CLASS_UNCHANGED, counted: Bool = false, answered: UInt64 = 0
    ) -> FakeTable {
        let table = FakeTable([
            FakeServer(arriba: 400_000, capacity: 1600, mean: 3, inFlight: 40),
            FakeServer(arriba: 400_000, capacity: 1600, mean: 3),
        ])
        let row = bh_segment_row_mutable(table.segment, 0)
        noteTime(
            table.segment, 1, chain: 3, nowMicroseconds: FakeTable.now * 1000, firstByte: 0, whole: 20_000,
            kind: BH_CLASS_GOOD)
        let asked = bh_asked_t()
        for _ in 0..<answers { noteEvidence(table.segment, 0, chain: 3, kind: kind, asked: asked, now: FakeTable.now) }
        bh_word_store(&row.pointee.first_byte, bh_mean_word(20_000, (FakeTable.now - answered) * 1000))
        if counted { bh_half_store(&row.pointee.counted, bh_counted_bit(3, kind.rawValue)) }
        return table
    }

    /// The server's share of 4000 decisions in tenths of a percent: a busy one gets one of eight until twenty answers
    /// are known, and as long as its next answer would be a time.
    @Test(
        arguments: ["byLeastTime", "byForecast"],
        [(0, false, 0), (1, false, 125), (19, false, 125), (20, false, 0), (20, true, 125)] as [(UInt32, Bool, Double)])
    func aTimeIsAskedFor(function: String, of: (answers: UInt32, counted: Bool, expected: Double)) throws {
        let table = untimed(answers: of.answers, counted: of.counted)
        let chain = try Chain([function])
        let asked = (0..<4000 as Range<UInt64>).filter { table.decide(chain, seed: $0, number: 3).ids.first == 0 }.count
        // Five standard deviations of a share of 0.125.
        #expect(abs(Double(asked) / 4 - of.expected) <= (of.expected == 0 ? 0 : 27))
    }

    /// One that answers nothing while requests wait there may hang: it is not asked, nor is any by a request that
    /// is not repeatable.
    @Test(arguments: ["byLeastTime", "byForecast"], [(1001, true), (60_000, true), (0, false)] as [(UInt64, Bool)])
    func noTimeIsAskedOfOneThatMayHang(function: String, of: (answered: UInt64, repeatable: Bool)) throws {
        let table = untimed(answers: 1, answered: of.answered)
        let chain = try Chain([function])
        for seed in 0..<400 as Range<UInt64> {
            #expect(table.decide(chain, seed: seed, number: 3, repeatable: of.repeatable).ids.first == 1)
        }
    }

    /// Two servers other than this one. The first was slow, with the last of so many answers; both times were seen at
    /// the same time.
    private func slow(answers: UInt32) -> FakeTable {
        let table = FakeTable([FakeServer(heard: 0), FakeServer(), FakeServer()])
        for (id, count, time) in [(1, answers, 1_000_000), (2, 1000, 20_000)] as [(UInt32, UInt32, UInt64)] {
            for _ in 0..<count {
                noteEvidence(
                    table.segment, id, chain: 3, kind: BH_CLASS_GOOD, asked: bh_asked_t(), now: FakeTable.now)
            }
            bh_mean_add(bh_row_latency(bh_segment_row_mutable(table.segment, id), 3), FakeTable.now * 1000, time, 1, 0)
        }
        return table
    }

    /// The slow server's share of 8000 decisions, in thousandths. The other's time is old as well, but it is the best
    /// anyway.
    private func share(_ table: FakeTable, after: UInt64, repeatable: Bool = true) throws -> Double {
        let chain = try Chain(["byLeastTime"])
        let now = FakeTable.now + after
        let asked = (0..<8000 as Range<UInt64>).filter {
            table.decide(chain, seed: $0, now: now, number: 3, repeatable: repeatable).ids.first == 1
        }
        return Double(asked.count) / 8
    }

    /// A slow first answer keeps a server from requests for a second, and a slow time for half a minute. Which of the
    /// two old times is asked for is a matter of chance.
    @Test(
        arguments: [
            (1, 900, 0), (1, 1100, 125), (7, 1100, 125), (8, 1100, 0), (8, 29_000, 0), (8, 31_000, 7.8),
            (1, 31_000, 117),
        ] as [(UInt32, UInt64, Double)])
    func oldTimesAreAskedFor(of: (answers: UInt32, after: UInt64, expected: Double)) throws {
        let found = try share(slow(answers: of.answers), after: of.after)
        // Five standard deviations at most.
        #expect(abs(found - of.expected) <= (of.expected == 0 ? 0 : of.expected < 10 ? 5 : 19))
        #expect(try share(slow(answers: of.answers), after: of.after, repeatable: false) == 0)
    }

    /// The way to another server costs something: where this one may serve the request, none is asked for that. What
    /// fails is asked by its own rule, and a request that is there will tell.
    @Test func oldTimesAreNotAlwaysAskedFor() throws {
        let table = slow(answers: 1)
        bh_word_store(&bh_segment_row_mutable(table.segment, 0).pointee.heard_ms, FakeTable.now)
        #expect(try share(table, after: 1100) == 0)
        let doubted = slow(answers: 1)
        _ = bh_doubt_begin(
            bh_segment_row_mutable(doubted.segment, 1), 3, BH_DOUBT_FAILS.rawValue, FakeTable.now + 5000)
        #expect(try share(doubted, after: 1100) == 0)
        let asked = slow(answers: 1)
        bh_half_store(&bh_segment_row_mutable(asked.segment, 1).pointee.in_flight, 1)
        bh_word_store(
            &bh_segment_row_mutable(asked.segment, 1).pointee.first_byte, bh_mean_word(1, (FakeTable.now + 500) * 1000))
        #expect(try share(asked, after: 1100) == 0)
    }

    /// A time is kept only where nothing is to be learnt from what came since, or where enough is known.
    @Test(arguments: [(0, 20_000), (1, 0), (19, 0), (20, 20_000)] as [(UInt32, UInt64)])
    func aFirstTimeStaysWithNoAnswerThatTellsNothing(answers: UInt32, expected: UInt64) {
        let table = untimed(answers: answers)
        let row = bh_segment_row_mutable(table.segment, 0)
        noteTime(table.segment, 0, chain: 3, nowMicroseconds: 1 << 40, firstByte: 0, whole: 20_000, kind: BH_CLASS_GOOD)
        noteTime(
            table.segment, 0, chain: 3, nowMicroseconds: 1 << 40 + 1000, firstByte: 0, whole: 1000,
            kind: BH_CLASS_UNCHANGED)
        #expect(bh_mean_value(bh_word_load(bh_row_latency(row, 3))) == expected)
    }
}
