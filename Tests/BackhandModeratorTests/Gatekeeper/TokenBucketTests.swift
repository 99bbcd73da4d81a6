// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

@Test func aBurstAndThenARate() {
    var bucket = TokenBucket(burst: 3, interval: 10, now: 1000)
    func take(_ now: UInt64) -> Bool { bucket.take(now: now) }
    #expect([1000, 1000, 1009, 1009].map(take) == [true, true, true, false])
    #expect([1010, 1010, 1019, 1020].map(take) == [true, false, false, true])
}

@Test func aBucketFillsUpToItsBurst() {
    var bucket = TokenBucket(burst: 3, interval: 10, now: 0)
    for _ in 0..<3 { _ = bucket.take(now: 0) }
    func full(_ now: UInt64) -> Bool {
        var copy = bucket
        return (0..<3).allSatisfy { _ in copy.take(now: now) }
    }
    #expect([0, 29, 30].map(full) == [false, false, true])
    func take(_: Int) -> Bool { bucket.take(now: .max) }
    #expect((0..<4).map(take) == [true, true, true, false])
}

/// No time that a clock can show is a trap.
@Test(arguments: [(UInt64(0), UInt64(0)), (1, .max), (.max, 1), (.max, .max)])
func bucketsOfAnySize(burst: UInt64, interval: UInt64) {
    for begin in [UInt64(0), 5, .max] {
        var bucket = TokenBucket(burst: burst, interval: interval, now: begin)
        for now in [UInt64(0), 1, .max - 1, .max, 0, .max] { _ = bucket.take(now: now) }
        let last = bucket.take(now: begin)
        #expect(last == (burst > 6))
    }
}

@Test func aBucketThatGetsSomeAtOnce() {
    var bucket = TokenBucket(burst: 100, interval: 1, portion: 20, now: 0)
    func taken(_ now: UInt64) -> Int { (0..<1000).filter { _ in bucket.take(now: now) }.count }
    #expect([5, 6, 7, 10, 100, .max].map(taken) == [100, 20, 20, 60, 100, 100])
}
