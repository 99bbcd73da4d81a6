// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

private let up = BH_STATE_UP.rawValue
private let draining = BH_STATE_DRAINING.rawValue
private let maintenance = BH_STATE_MAINTENANCE.rawValue
private let shutdown = BH_STATE_SHUTDOWN.rawValue

/// What a row says when its server is about to be asked.
struct Look {
    var heard = FakeTable.now
    var firstHeard = FakeTable.now - 60_000
    var announced = up
    var ordered = up
    var own = false
    var lastResort = false
    var holds: Bool
}

@Suite struct SecondLookTests {
    @Test(arguments: [
        Look(holds: true),
        Look(announced: draining, holds: false), Look(announced: shutdown, holds: false),
        Look(announced: maintenance, holds: false),
        Look(ordered: draining, holds: false), Look(ordered: maintenance, holds: false),
        Look(announced: draining, lastResort: true, holds: true),
        Look(announced: shutdown, lastResort: true, holds: true),
        Look(ordered: draining, lastResort: true, holds: true),
        Look(announced: maintenance, lastResort: true, holds: false),
        Look(ordered: maintenance, lastResort: true, holds: false),
        // Expired, or hidden.
        Look(heard: 0, holds: false), Look(heard: 0, lastResort: true, holds: false),
        // Another server since the decision; in the same millisecond it may be the one that was chosen.
        Look(firstHeard: FakeTable.now, holds: true), Look(firstHeard: FakeTable.now + 1, holds: false),
        Look(firstHeard: FakeTable.now + 1, lastResort: true, holds: false),
        // Our own row never gets another server, and a draining self serves if the chain says so.
        Look(firstHeard: FakeTable.now + 1, own: true, holds: true), Look(announced: draining, own: true, holds: true),
        Look(ordered: maintenance, own: true, holds: false),
    ])
    func aDecisionHolds(_ look: Look) {
        let table = FakeTable(count: 1)
        let row = bh_segment_row_mutable(table.segment, 0)
        bh_word_store(&row.pointee.heard_ms, look.heard)
        bh_word_store(&row.pointee.first_heard_ms, look.firstHeard)
        bh_half_store(&row.pointee.state, look.announced)
        bh_half_store(&row.pointee.ordered, look.ordered)
        bh_half_store(&row.pointee.own, look.own ? 1 : 0)
        #expect(bh_row_holds(row, FakeTable.now, look.lastResort) == look.holds)
    }

    @Test func aDecisionSaysWhenItWasMade() throws {
        let outcome = try FakeTable(count: 2).decide(["byLoad"])
        #expect(outcome.decided == FakeTable.now)
    }
}
