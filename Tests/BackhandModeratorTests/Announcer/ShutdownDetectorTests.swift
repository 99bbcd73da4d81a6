// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

@Suite struct ShutdownDetectorTests {
    private func look(_ watch: inout ShutdownDetector, word: Bool, at time: UInt64, closed: Bool) -> Bool {
        watch.look(isChildEnding: word, now: time, isClosed: { closed })
    }

    @Test func withoutAWordNothingIsLookedAt() {
        var watch = ShutdownDetector()
        let open = watch.look(isChildEnding: false, now: 5, isClosed: { fatalError() })
        #expect(!open && !watch.isShuttingDown && watch.wait(now: 5) == nil)
    }

    @Test func aGracefulStopIsSeenByThePort() {
        var watch = ShutdownDetector()
        #expect(look(&watch, word: true, at: 1000, closed: false))
        #expect(!watch.isShuttingDown)
        // Soon again.
        #expect(watch.wait(now: 1000) == 2)
        #expect(look(&watch, word: true, at: 1002, closed: true))
        #expect(watch.isShuttingDown && watch.wait(now: 1002) == nil)
        // For good, even if another program opens the port.
        #expect(look(&watch, word: true, at: 90_000, closed: false))
        #expect(watch.isShuttingDown)
    }

    /// However many children end: the open port says that httpd goes on.
    @Test func childrenThatEndAreNoStop() {
        var (watch, looks) = (ShutdownDetector(), 0)
        for time in 1000...21_000 as ClosedRange<UInt64> {
            _ = watch.look(isChildEnding: true, now: time) {
                looks += 1; return false
            }
            #expect(!watch.isShuttingDown)
        }
        // Ten times two seconds; with a child that ends each millisecond, the looks do not become more.
        #expect(looks > 50 && looks < 250)
    }

    @Test func aChildTooManyIsForgotten() {
        var (watch, looks, time) = (ShutdownDetector(), 0, UInt64(1000))
        while watch.look(
            isChildEnding: true, now: time,
            isClosed: {
                looks += 1; return false
            })
        {
            time += max(watch.wait(now: time) ?? 0, 1)
            if time > 10_000 { break }
        }
        #expect(time >= 1000 + ShutdownDetector.attention && time < 1000 + 2 * ShutdownDetector.attention)
        #expect(looks > 5 && looks < 25)
        #expect(watch.state == .open)
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
