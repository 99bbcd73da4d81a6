// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

@Test func ticksDoNotDrift() {
    var ticker = Ticker(interval: 1000, now: 5000)
    func take(_ now: UInt64) -> Bool { ticker.take(now: now) }
    #expect(take(5000), "the first is due at once")
    #expect(!take(5999))
    #expect(ticker.wait(now: 5999) == 1)
    #expect(take(6130), "served late")
    #expect(ticker.wait(now: 6130) == 870, "the next is on time all the same")
    #expect(take(7000))
}

@Test(
    arguments: [
        // a stall until, when the next is due
        (6000, 7000), (6999, 7000), (7000, 8000), (7001, 8000), (99_500, 100_000),
    ] as [(UInt64, UInt64)])
func aStallIsNotMadeUpFor(until: UInt64, next: UInt64) {
    var ticker = Ticker(interval: 1000, now: 5000)
    func take(_ now: UInt64) -> Bool { ticker.take(now: now) }
    #expect(take(5000))
    #expect(take(until))
    #expect(ticker.next == next)
    #expect(!take(until), "one, not one for each that was missed")
}

@Test func anIntervalOfZeroDoesNotTrap() {
    var ticker = Ticker(interval: 0, now: .max - 1)
    func take(_ now: UInt64) -> Bool { ticker.take(now: now) }
    #expect(take(.max - 1))
    #expect(take(.max))
}
