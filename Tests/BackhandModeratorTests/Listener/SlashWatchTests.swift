// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

private var ours: Slashes { Slashes(0x102) }

/// One look: row, what it announces, whether another httpd does, seconds, whether there is a line.
private typealias Look = (row: UInt32, theirs: UInt32, isAnother: Bool, at: UInt64, line: Bool)

@Suite struct SlashWatchTests {
    private func check(_ looks: [Look], sourceLocation: SourceLocation = #_sourceLocation) {
        var watch = SlashWatch()
        for look in looks {
            let due = watch.isDue(
                look.row, Slashes(look.theirs), ours: ours, isAnother: look.isAnother, now: look.at * 1000)
            #expect(due == look.line, "at \(look.at)", sourceLocation: sourceLocation)
        }
    }

    @Test func oneLineAfterTenMinutes() {
        check([
            (1, 0x202, true, 5, false), (1, 0x202, false, 604, false), (1, 0x202, false, 605, true),
            (1, 0x202, false, 606, false), (1, 0x202, false, 9000, false),
        ])
    }

    @Test func whatAgreesBetweenBeginsAnew() {
        check([
            (1, 0x202, true, 5, false), (1, 0x102, false, 300, false), (1, 0x202, false, 400, false),
            (1, 0x202, false, 999, false), (1, 0x202, false, 1000, true),
        ])
    }

    /// A restart does, too: it may have brought another configuration.
    @Test func anotherHttpdBeginsAnew() {
        check([
            (1, 0x202, true, 5, false), (1, 0x202, true, 600, false), (1, 0x202, false, 1199, false),
            (1, 0x202, false, 1200, true),
        ])
    }

    /// Nor do fifty servers with one configuration.
    @Test func onePairHasOneLine() {
        check([
            (1, 0x202, true, 1, false), (2, 0x202, true, 1, false), (3, 0x101, true, 1, false),
            (1, 0x202, false, 700, true), (2, 0x202, false, 700, false), (3, 0x101, false, 700, true),
        ])
    }

    @Test(arguments: [0, 1, 0x100, 0x402, 0x103, 0xffff, 0x1_0102, UInt32.max])
    func whatIsNotKnownIsNotCompared(value: UInt32) {
        check([(1, value, true, 5, false), (1, value, false, 5000, false)])
        var watch = SlashWatch()
        let first = watch.isDue(1, Slashes(0x202), ours: Slashes(value), isAnother: true, now: 1)
        let later = watch.isDue(1, Slashes(0x202), ours: Slashes(value), isAnother: false, now: 10_000_000)
        #expect(!first && !later)
    }

    @Test func rowsOutsideTheTable() {
        check([(2048, 0x202, true, 5, false), (.max, 0x202, false, 5000, false)])
    }
}
