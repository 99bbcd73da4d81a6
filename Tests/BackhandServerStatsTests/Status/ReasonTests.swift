// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

@testable import BackhandServerStats

private func prospect(_ change: (inout Prospect) -> Void) -> Prospect {
    var made = Prospect()
    (made.presence, made.longest) = (10_000, 10_000)
    change(&made)
    return made
}

private func text(_ reason: Reason) -> String {
    var message = Message()
    var facts = bh_facts_t()
    facts.check = UInt32(BH_CHECK_FAILING) | BH_FINDING_STATUS.rawValue | 503 << 16
    withUnsafeMutableBytes(of: &facts.check_name) { $0.copyBytes(from: Array("/health".utf8)) }
    message.add(reason, of: facts)
    #expect(message.bytes.count < 32, "BH_REASONS_SIZE has room for eight")
    return message.text
}

@Suite struct ReasonTests {
    /// Each one alone, in its words.
    @Test(arguments: [
        (prospect { _ in }, ""),
        (prospect { $0.age = 6000 }, ""), (prospect { $0.age = 6001 }, "silent 6 s"),
        (prospect { $0.age = 7999 }, "silent 7 s"),
        (prospect { $0.age = .max }, "silent 18446744073709551 s"),
        (prospect { $0.ordered = BH_STATE_DRAINING.rawValue }, "drained (here)"),
        (prospect { $0.ordered = BH_STATE_MAINTENANCE.rawValue }, "drained (here)"),
        (prospect { $0.announced = BH_STATE_DRAINING.rawValue }, "drained (there)"),
        (prospect { $0.announced = BH_STATE_MAINTENANCE.rawValue }, "drained (there)"),
        (prospect { $0.announced = BH_STATE_SHUTDOWN.rawValue }, ""), (prospect { $0.announced = .max }, ""),
        (prospect { $0.backoff = 1 }, "back-off 1 s"), (prospect { $0.backoff = 2001 }, "back-off 3 s"),
        (prospect { $0.isUnreached = true }, "no connection"),
        (prospect { $0.clock = 60 }, ""), (prospect { $0.clock = 61 }, "clock"),
        (prospect { $0.clock = .min }, "clock"),
        (prospect { $0.failsCheck = true }, "check /health: status 503"),
        (prospect { $0.failures = 41 }, "failing 41 %"), (prospect { $0.failures = 400 }, "failing 100 %"),
        (prospect { $0.isDoubted = true }, "doubt"),
        (prospect { $0.presence = 9999 }, "slow start"), (prospect { ($0.presence, $0.longest) = (0, 0) }, ""),
    ])
    func alone(prospect: Prospect, words: String) {
        #expect(text(prospect.reason) == words)
    }

    /// Each one that stands before another counts: all of them, then without the first, and so on.
    @Test func precedence() {
        var all = prospect {
            $0.age = 7000
            $0.announced = BH_STATE_DRAINING.rawValue
            $0.ordered = BH_STATE_MAINTENANCE.rawValue
            $0.backoff = 3000
            $0.isUnreached = true
            $0.clock = -100
            $0.failsCheck = true
            $0.failures = 41
            $0.isDoubted = true
            $0.presence = 0
        }
        let without: [(inout Prospect) -> Void] = [
            { $0.age = 0 }, { $0.announced = 0 }, { $0.ordered = 0 }, { $0.backoff = 0 }, { $0.isUnreached = false },
            { $0.clock = 0 }, { $0.failsCheck = false },
            { $0.failures = 0 }, { $0.isDoubted = false }, { $0.presence = 10_000 },
        ]
        var found: [String] = []
        for next in without {
            found.append(text(all.reason))
            next(&all)
        }
        #expect(
            found == [
                "silent 7 s", "drained (there)", "drained (here)", "back-off 3 s", "no connection", "clock",
                "check /health: status 503", "failing 41 %", "doubt", "slow start",
            ])
        #expect(all.reason == .nothing)
    }

    /// Of this httpd itself only what is ordered, and what it answers.
    @Test func itself() {
        var own = prospect {
            ($0.isOwn, $0.age, $0.backoff, $0.isUnreached, $0.clock) = (true, 60_000, 3000, true, 100)
        }
        #expect(own.reason == .nothing)
        own.failures = 70
        #expect(own.reason == .failing(percent: 70))
        own.announced = BH_STATE_DRAINING.rawValue
        #expect(own.reason == .drainedHere)
        own.hasDrainFile = true
        #expect(own.reason == .drainedByFile && text(own.reason) == "drained (file)")
        own.announced = BH_STATE_MAINTENANCE.rawValue
        #expect(own.reason == .drainedHere, "maintenance outranks the file")
        own.announced = BH_STATE_UP.rawValue
        #expect(own.reason == .failing(percent: 70))
    }

    /// From a row, as the children and the moderator leave it.
    @Test func rows() {
        let table = TestSegment(bootID: 1)
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.4", boot: 7), now: 100_000, wall: 5)
        _ = writer.hear(announcement("10.0.0.5", boot: 8), now: 104_000, wall: 5)
        bh_word_store(&table.segment.pointee.beat_ms, 104_000)
        func words(_ id: UInt32, _ now: UInt64) -> String {
            var facts = bh_facts_t()
            let row = bh_segment_row(table.segment, id)
            guard bh_row_heard(row) != 0, bh_row_copy(row, &facts) else { return "" }
            let longest = bh_segment_presence(table.segment, writer.rows, now)
            return text(reason(table.segment, id, facts, longest: longest, now: now))
        }
        #expect(words(0, 104_000) == "" && words(1, 104_000) == "" && words(2, 104_500) == "slow start")
        var selfFacts = announcement("10.0.0.1", boot: 1)
        selfFacts.state = UInt8(BH_STATE_DRAINING.rawValue)
        writer.writeSelf(selfFacts, now: 104_000, wall: 5)
        #expect(words(0, 104_000) == "drained (here)")
        noteDrainFile(true, in: table.segment, rows: writer.rows, now: 104_000)
        #expect(words(0, 104_000) == "drained (file)" && words(1, 104_000) == "")
        noteDrainFile(false, in: table.segment, rows: writer.rows, now: 104_000)
        noteUnreached(table.segment, 1, now: 104_000, took: 0)
        #expect(words(1, 104_500) == "back-off 1 s" && words(1, 105_500) == "no connection")
        noteServed(table.segment, 1, 100)
        #expect(words(1, 105_500) == "")
        _ = bh_doubt_begin(bh_segment_row_mutable(table.segment, 1), 3, BH_DOUBT_WRONG.rawValue, 0)
        #expect(words(1, 105_500) == "doubt")
        bh_word_store(bh_row_failing(bh_segment_row_mutable(table.segment, 1), 3), bh_mean_word(410_000, 1))
        #expect(words(1, 105_500) == "doubt")
        _ = bh_doubt_begin(bh_segment_row_mutable(table.segment, 1), 3, BH_DOUBT_FAILING.rawValue, 0)
        #expect(words(1, 105_500) == "failing 41 %")
        bh_word_store(&table.segment.pointee.beat_ms, 107_000)
        #expect(words(1, 107_000) == "silent 7 s")
    }

    @Test func aServersOwnWordOfItsErrorsCountsUntilItHasAnswered() {
        let table = TestSegment(bootID: 1)
        var writer = table.writer()
        var facts = announcement("10.0.0.4", boot: 7)
        facts.error_ppm = 630_000
        _ = writer.hear(facts, now: 1000, wall: 5)
        #expect(reason(table.segment, 1, facts, longest: 0, now: 1500) == .failing(percent: 63))
        let asked = bh_asked_t(client: 1, url: 1)
        noteEvidence(table.segment, 1, chain: 1, kind: BH_CLASS_GOOD, asked: asked, now: 1500)
        #expect(reason(table.segment, 1, facts, longest: 0, now: 1500) == .nothing)
    }

}
