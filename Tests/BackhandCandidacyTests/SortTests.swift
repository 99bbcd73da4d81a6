// Licensed under the Apache License, Version 2.0; see LICENSE.

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

    /// The first places are those of a full sort, and nothing is lost.
    @Test(arguments: [(1, 1), (5, 1), (5, 4), (200, 32), (2048, 32), (10, 0)])
    func selects(count: Int, first: Int) {
        var random = SplitMix64(seed: UInt64(count), stream: first)
        let words = (0..<count).map { _ in UInt64(random.below(1000)) }
        let sorted = words.sorted()
        var selected = words
        selected.withUnsafeMutableBufferPointer { selectWords($0.baseAddress!, count, first) }
        #expect(Array(selected.prefix(first)) == Array(sorted.prefix(first)))
        #expect(selected.sorted() == sorted)
    }
}
