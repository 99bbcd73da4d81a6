// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import Testing

@testable import BackhandModerator

/// How a moderator ends, and whose task farewell is then.
struct End: Sendable, CustomTestStringConvertible {
    var senders: StopSenders
    var before = BH_FAREWELL_OPEN
    var says: Bool
    var after: bh_farewell_t
    var testDescription: String { "\(senders) after \(before)" }

    static let all = [
        End(senders: .parent, says: true, after: BH_FAREWELL_SAID),
        End(senders: [.parent, .another], says: true, after: BH_FAREWELL_SAID),
        // The parent's signal and another's have become one.
        End(senders: .another, before: BH_FAREWELL_ASKED, says: true, after: BH_FAREWELL_SAID),
        End(senders: [], before: BH_FAREWELL_ASKED, says: true, after: BH_FAREWELL_SAID),
        // The parent lives, and says nothing.
        End(senders: .another, says: false, after: BH_FAREWELL_LEFT),
    ]
}

@Test(arguments: End.all)
func farewellIsATaskOfOneProcess(end: End) throws {
    let running = try RunningModerator(Setting())
    defer { running.close() }
    bh_half_store(&running.segment.pointee.farewell, end.before.rawValue)
    #expect(running.moderator.isFarewellOurs { end.senders } == end.says)
    #expect(bh_half_load(&running.segment.pointee.farewell) == end.after.rawValue)
}

@Test func aParentThatComesLateIsHeard() throws {
    let running = try RunningModerator(Setting())
    defer { running.close() }
    var looks = 0
    let says = running.moderator.isFarewellOurs {
        looks += 1
        if looks == 2 { bh_half_store(&running.segment.pointee.farewell, BH_FAREWELL_ASKED.rawValue) }
        return .another
    }
    #expect(says && looks == 2)
}

@Test func theTwoTakeTurns() throws {
    let running = try RunningModerator(Setting())
    defer { running.close() }
    let segment = running.segment
    #expect(bh_farewell_set(segment, BH_FAREWELL_LEFT) == BH_FAREWELL_OPEN)
    #expect(bh_farewell_set(segment, BH_FAREWELL_ASKED) == BH_FAREWELL_LEFT, "so the parent has it said")
    #expect(running.moderator.isForFarewell)
}
