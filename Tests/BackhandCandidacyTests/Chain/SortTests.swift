// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandCandidacy

struct SortTests {
    @Test(arguments: [0, 1, 2, 3, 4, 5, 11, 24, 100, 701, 702, 2048])
    func sortsLikeTheStandardLibrary(count: Int) {
        for pattern in 0..<4 as Range<UInt64> {
            var random = SplitMix64(seed: pattern, stream: count)
            var words: [UInt64] = (0..<count).map { index in
                switch pattern {
                case 0: UInt64(random.below(2048))
                case 1: UInt64(index)
                case 2: UInt64(count - index)
                default: UInt64(random.below(2)) << 63 | UInt64(random.below(2048))
                }
            }
            let expected = words.sorted()
            words.withUnsafeMutableBufferPointer { buffer in
                if let start = buffer.baseAddress { sortWords(start, count) }
            }
            #expect(words == expected)
        }
    }

    @Test func integerKeysKeepTheirOrder() {
        let integers: [Int64] = [-(1 << 47), -2_147_483_649, -1_000_000, -1, 0, 1, 2_147_483_647, 1 << 32, 1 << 47 - 1]
        for (low, high) in zip(integers, integers.dropFirst()) {
            #expect(SortKey(low).number < SortKey(high).number)
        }
    }

    @Test func realKeysKeepTheirOrder() {
        let numbers: [Double] = [0, .leastNonzeroMagnitude * 65_536, 1e-9, 1, 1.000_000_001, 2, 2048 * 2048, 1e300]
        for (low, high) in zip(numbers, numbers.dropFirst()) {
            #expect(SortKey(low).number < SortKey(high).number)
        }
        #expect(SortKey(1.0).number == SortKey(1.0.nextUp).number)
    }

    /// The first places are those of a full sort, equal ones in their order, and nothing is lost.
    @Test(arguments: [(1, 1), (5, 1), (5, 4), (5, 5), (33, 32), (200, 32), (2048, 32), (10, 0), (100, 100)])
    func selects(count: Int, first: Int) {
        for seed in 0..<8 as Range<UInt64> {
            let table = FakeTable(count: count)
            let memory = GuardedMemory(Workspace.countsSize + count * Workspace.entrySize)
            withExtendedLifetime((table, memory)) {
                var request = FakeTable.request()
                var run = ChainRun(table.segment, &request, Workspace(memory.inner, loaded: false)!)
                run.gather()
                var random = SplitMix64(seed: seed, stream: count)
                let keys = (0..<count).map { _ in Int64(random.below(1 + count / 2)) }
                let sorted = keys.enumerated().sorted { ($0.element, $0.offset) < ($1.element, $1.offset) }.map {
                    Int32($0.offset)
                }
                run.candidates.sort(first: first) { slot, _ in SortKey(keys[Int(slot.id)]) }
                let ids = (0..<count).map { run.candidates.list[$0].id }
                #expect(ids.prefix(first) == sorted.prefix(first))
                #expect(ids.sorted() == sorted.sorted())
            }
            #expect(memory.isIntact)
        }
    }
}
