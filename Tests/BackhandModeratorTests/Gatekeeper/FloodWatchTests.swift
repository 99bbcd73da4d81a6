// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

@Suite struct FloodWatchTests {
    /// Notes so many a second, in steps of 10 ms, and returns what changed, and when.
    private func run(
        _ watch: inout FloodWatch, perSecond: UInt64, from: UInt64, to: UInt64
    ) -> [(FloodWatch.Change, UInt64)] {
        var changes: [(FloodWatch.Change, UInt64)] = []
        for now in stride(from: from, to: to, by: 10) {
            let due = perSecond * (now + 10 - from) / 1000 - perSecond * (now - from) / 1000
            for _ in 0..<due { watch.note() }
            if let change = watch.look(now: now) { changes.append((change, now)) }
        }
        return changes
    }

    @Test(arguments: [(UInt64(0), false), (10, false), (900, false), (1100, true), (50_000, true)])
    func whatIsAFlood(perSecond: UInt64, is flood: Bool) {
        var watch = FloodWatch(sample: 256)
        let changes = run(&watch, perSecond: perSecond, from: 10_000, to: 20_000)
        #expect(changes.first?.0 == (flood ? .begins : nil))
        if flood { #expect(changes[0].1 <= 11_010) }
    }

    /// A new moderator finds what its predecessor left unread, and one that stood still what came meanwhile: that is
    /// none.
    @Test(
        arguments: [(0, 4000, false), (10_000, 4000, false), (3000, 4000, true), (1000, 4000, true)]
            as [(UInt64, Int, Bool)])
    func whatHasWaited(pause: UInt64, waiting: Int, is flood: Bool) {
        var watch = FloodWatch(sample: 256)
        let start: UInt64 = 50_000
        if pause > 0 { _ = watch.look(now: start) }
        for _ in 0..<waiting { watch.note() }
        #expect(watch.look(now: start + pause) == (flood ? .begins : nil))
        #expect(run(&watch, perSecond: 900, from: start + pause + 10, to: start + pause + 5000).isEmpty)
    }

    /// A sample of one in 256 tells whether it goes on: 20 a second are 5,120, 1 a second are 256.
    @Test(arguments: [(UInt64(20), false), (4, false), (1, true), (0, true)])
    func whenItEnds(sampled: UInt64, ends: Bool) throws {
        var watch = FloodWatch(sample: 256)
        _ = run(&watch, perSecond: 50_000, from: 10_000, to: 10_030)
        #expect(watch.isFlood)
        let changes = run(&watch, perSecond: sampled, from: 10_030, to: 30_000)
        try #require(changes.map(\.0) == (ends ? [.ends] : []))
        #expect(watch.isFlood != ends)
        if ends { #expect((14_900...15_200).contains(changes[0].1), "five seconds later") }
    }
}
