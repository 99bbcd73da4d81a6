// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

struct SplitMix64Tests {
    @Test(arguments: [1, 2, 3, 7, 2048])
    func staysBelowItsBound(bound: Int) {
        var random = SplitMix64(seed: 7, stream: 3)
        var seen = Array(repeating: 0, count: bound)
        for _ in 0..<bound * 100 { seen[random.below(bound)] += 1 }
        #expect(seen.allSatisfy { $0 > 40 })
    }

    @Test func sameSeedSameNumbers() {
        var (one, two) = (SplitMix64(seed: 9, stream: 0), SplitMix64(seed: 9, stream: 0))
        for _ in 0..<100 { #expect(one.below(2048) == two.below(2048)) }
    }

    @Test func neighbouringSeedsDiffer() {
        var different = 0
        for seed in 0..<1000 as Range<UInt64> {
            var (one, two) = (SplitMix64(seed: seed, stream: 0), SplitMix64(seed: seed + 1, stream: 0))
            different += one.below(2048) != two.below(2048) ? 1 : 0
        }
        #expect(different > 990)
    }
}
