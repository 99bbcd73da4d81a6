// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand

extension CandidacyFunction {
    /// Puts the candidates into a random order; each order is equally likely.
    ///
    /// Fisher and Yates, as Durstenfeld, CACM 7(7) 420, 1964. Each step of a chain draws from a sequence of its own.
    static var byRandom: CandidacyFunction {
        CandidacyFunction("byRandom") { candidates, _ in
            var random = SplitMix64(seed: candidates.seed, stream: candidates.step)
            let list = candidates.list
            var left = candidates.count
            while left > 1 {
                let pick = random.below(left)
                left &-= 1
                let slot = list[left]
                list[left] = list[pick]
                list[pick] = slot
            }
        }
    }
}
