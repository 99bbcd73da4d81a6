// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandSystem
import Testing

@testable import BackhandModerator

@Test func measuringGivesAPlausibleSpeedInTime() {
    // The budget is 100 ms; the rest is for interruptions, of which a busy machine has more now and then.
    let isInTime = (0..<10).contains { _ in
        let start = monotonicMilliseconds()
        let arriba = measureArriba(clock: monotonicNanoseconds)
        // From a slow interpreter of instructions to more than any core does.
        #expect((1_000...20_000_000).contains(arriba))
        return monotonicMilliseconds() - start <= 200
    }
    #expect(isInTime)
}

/// A clock that shows the times one after the other, then goes on by the last step.
private func clock(_ steps: [UInt64]) -> () -> UInt64 {
    var now: UInt64 = 7_000_000_000
    var next = 0
    return {
        defer {
            now &+= steps[min(next, steps.count - 1)]
            next += 1
        }
        return now
    }
}

@Test(
    arguments: [
        // milliseconds of each slice, slices that fit, arriba
        ([1], 100, 200_000),
        ([2], 50, 100_000),
        ([3, 1, 2], 49, 200_000),  // the best counts
        ([60], 1, 3333),  // another one might not end in time
        ([40, 70], 2, 5000),
        ([5000], 1, 40),
    ] as [([UInt64], Int, Int32)])
func theTimeIsBounded(slices: [UInt64], count: Int, arriba: Int32) {
    let tick = clock(slices.map { $0 * 1_000_000 })
    var readings = 0
    let measured = measureArriba {
        readings += 1
        return tick()
    }
    #expect(measured == arriba)
    #expect(readings == count + 1)
}

@Test func clocksThatStandOrRunAwayAreNoTrap() {
    #expect(measureArriba(clock: clock([50_000_000_000_000])) == 1)
    #expect(measureArriba(clock: clock([0, 0, 200_000_000])) == .max)
}

/// The rounds are really done: the value converges to 1 as the formula says.
@Test func roundsAreRounds() {
    #expect(arribaRounds(0, from: 1.5) == 1.5)
    #expect(arribaRounds(1, from: 1.5) == 1.5 * 0.999_999 + 0.000_001)
    #expect(abs(arribaRounds(1_000_000, from: 1.5) - (1 + 0.5 / 2.718_28)) < 1e-5)
}
