// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

private let graceful = BH_STOPPING_GRACEFUL.rawValue
private let now = BH_STOPPING_NOW.rawValue

@Suite struct StopWatchTests {
    private func look(_ watch: inout StopWatch, _ word: UInt32, at time: UInt64, closed: Bool, serves: Bool) -> Bool {
        watch.look(word: word, now: time, isClosed: { closed }, serves: { serves })
    }

    @Test func withoutAWordNobodyLooks() {
        var watch = StopWatch()
        let open = watch.look(word: 0, now: 5, isClosed: { fatalError() }, serves: { fatalError() })
        #expect(!open && !watch.isLeaving && watch.wait(now: 5) == nil)
    }

    @Test func aGracefulStopIsSeenByThePort() {
        var watch = StopWatch()
        #expect(look(&watch, graceful, at: 1000, closed: false, serves: true))
        #expect(!watch.isLeaving)
        // Soon again.
        #expect(watch.wait(now: 1000) == 2)
        #expect(look(&watch, graceful, at: 1002, closed: true, serves: false))
        #expect(watch.isLeaving && watch.wait(now: 1002) == nil)
        // For good, even if somebody else opens the port.
        #expect(look(&watch, graceful, at: 90_000, closed: false, serves: true))
        #expect(watch.isLeaving)
    }

    /// A port that nobody serves may be open: its connections are the kernel's.
    @Test func thePortIsNotLookedAtWhileSomebodyServes() {
        var watch = StopWatch()
        _ = watch.look(word: graceful, now: 1000, isClosed: { fatalError() }, serves: { true })
        #expect(!watch.isLeaving)
    }

    @Test func aChildTooManyIsForgotten() {
        var (watch, looks, time) = (StopWatch(), 0, UInt64(1000))
        while watch.look(word: graceful, now: time, isClosed: { false }, serves: { looks += 1; return false }) {
            time += max(watch.wait(now: time) ?? 0, 1)
            if time > 10_000 { break }
        }
        #expect(time >= 1000 + StopWatch.attention && time < 1000 + 2 * StopWatch.attention)
        #expect(looks > 5 && looks < 25)
        #expect(watch.state == .open)
    }

    @Test func anEndAtOnceIsBelieved() {
        var watch = StopWatch()
        #expect(look(&watch, now, at: 1000, closed: false, serves: true))
        #expect(watch.isLeaving)
        // Nobody serves, though the port is open: it goes on.
        #expect(look(&watch, now, at: 4000, closed: false, serves: false))
        #expect(watch.isLeaving)
        #expect(!look(&watch, now, at: 7000, closed: false, serves: true))
        #expect(!watch.isLeaving)
    }

    @Test func fromGracefulToAtOnce() {
        var watch = StopWatch()
        _ = look(&watch, graceful, at: 1000, closed: false, serves: true)
        _ = look(&watch, now, at: 1001, closed: false, serves: true)
        #expect(watch.isLeaving)
    }
}

@Test func aFarewellIsSaidThreeTimes() {
    var farewell = Farewell()
    #expect(!farewell.take(now: 5) && farewell.wait(now: 5) == nil)
    farewell.begin(now: 1000)
    var times: [UInt64] = []
    for time in 1000...1200 as ClosedRange<UInt64> where farewell.take(now: time) { times.append(time) }
    #expect(times == [1000, 1015, 1030])
    farewell.begin(now: .max)
    #expect(farewell.wait(now: 0) == .max && farewell.take(now: .max), "no trap at the end of time")
}
