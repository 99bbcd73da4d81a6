// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandSystem
import Testing

@testable import BackhandModerator

@Suite struct LossWatchTests {
    @Test func whatTheKernelDropped() {
        var watch = LossWatch()
        func note(_ dropped: UInt32, full: Bool = false, filters: Bool = false, fd: Int32 = 5) -> [UInt64] {
            let found = watch.note(
                ReceiveBuffer(used: full ? 950 : 100, limit: 1000, dropped: dropped), of: fd, filters: filters)
            return [found.overflowed, found.filtered]
        }
        #expect(note(70) == [0, 0], "what was dropped before us")
        #expect(note(70) == [0, 0])
        #expect(note(75) == [5, 0])
        #expect(note(175, filters: true) == [0, 100], "there was room")
        #expect(note(185, full: true, filters: true) == [10, 0])
        #expect(note(3) == [0, 0], "another socket")
        #expect(note(4) == [1, 0])
        #expect(note(1000, fd: 6) == [0, 0])
        #expect(note(.max) == [0, 0])
        #expect(note(1) == [2, 0], "it wraps")
    }

    /// One line a round of a second: how many were lost and received in it, and to what time ages count afterwards; 0:
    /// to the present.
    @Test(
        arguments: [
            [(0, 9, 0), (0, 9, 0)],
            // One in ten lost: held at the end of the last round without.
            [(0, 9, 0), (1, 9, 1000), (1, 9, 1000), (0, 9, 1000), (0, 9, 1000), (0, 9, 0)],
            // Lost again while those who are there are waited for.
            [(0, 9, 0), (1, 9, 1000), (0, 9, 1000), (1, 9, 1000), (0, 9, 1000), (0, 9, 1000), (0, 9, 0)],
            // One in a hundred proves nothing against anybody.
            [(0, 9, 0), (1, 99, 0)],
            // For ten seconds; then a server that is gone grows older again.
            [(0, 9, 0)] + [(Int, Int, UInt64)](repeating: (9, 1, 1000), count: 9) + [
                (9, 1, 1000), (9, 1, 2000), (9, 1, 3000),
            ],
            // From the first round on there is nothing to hold on to.
            [(9, 1, 0), (9, 1, 0), (0, 9, 0)],
        ] as [[(Int, Int, UInt64)]])
    func agesAreHeldBack(rounds: [(lost: Int, received: Int, clock: UInt64)]) {
        var watch = LossWatch()
        var dropped: UInt32 = 0
        _ = watch.note(ReceiveBuffer(used: 0, limit: 9, dropped: 0), of: 5, filters: false)
        for (number, round) in rounds.enumerated() {
            dropped += UInt32(round.lost)
            _ = watch.note(ReceiveBuffer(used: 0, limit: 9, dropped: dropped), of: 5, filters: false)
            watch.noteReceived(round.received)
            let wasHeld = watch.ageClock != 0
            let isSound = watch.closeRound(now: 1000 * UInt64(number + 1), interval: 1000)
            #expect(watch.ageClock == round.clock, "round \(number)")
            #expect(isSound == (wasHeld && watch.ageClock == 0))
        }
    }
}
