// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

/// What the table says of a server that is silent on a request; it was asked as boot 7 at port 80.
struct Sign {
    var age: UInt64 = 500
    var heard = true
    var own = false
    var state = BH_STATE_UP.rawValue
    var boot: UInt64 = 7
    var port: UInt16 = 80
    var stalled: UInt32 = 0
    var moderatorAge: UInt64 = 500
    var life: bh_life_t
}

@Suite struct LifeTests {
    @Test(arguments: [
        Sign(life: BH_LIFE_SHOWN), Sign(age: 6000, life: BH_LIFE_SHOWN), Sign(age: 6001, life: BH_LIFE_NONE),
        Sign(heard: false, life: BH_LIFE_SHOWN),
        // It stops in peace.
        Sign(state: BH_STATE_SHUTDOWN.rawValue, life: BH_LIFE_SHOWN),
        Sign(age: 6001, state: BH_STATE_SHUTDOWN.rawValue, life: BH_LIFE_ENDING),
        Sign(age: 6001, state: BH_STATE_DRAINING.rawValue, life: BH_LIFE_NONE),
        Sign(age: 6001, state: BH_STATE_MAINTENANCE.rawValue, life: BH_LIFE_NONE),
        // Its processes.
        Sign(stalled: 2999, life: BH_LIFE_SHOWN), Sign(stalled: 3000, life: BH_LIFE_NONE),
        Sign(stalled: .max, life: BH_LIFE_NONE),
        // Started anew, or its row is another's; and its address is another.
        Sign(boot: 8, life: BH_LIFE_ENDING), Sign(boot: 8, port: 81, life: BH_LIFE_ENDING),
        Sign(port: 81, life: BH_LIFE_SHOWN),
        // Our own moderator hears nothing: that says nothing of the server.
        Sign(age: 60_000, moderatorAge: 59_000, life: BH_LIFE_SHOWN),
        Sign(age: 60_000, moderatorAge: 50_000, life: BH_LIFE_NONE),
        Sign(age: 60_000, own: true, life: BH_LIFE_SHOWN), Sign(heard: false, own: true, life: BH_LIFE_SHOWN),
    ])
    func life(_ sign: Sign) {
        let table = FakeTable(count: 1)
        let row = bh_segment_row_mutable(table.segment, 0)
        var facts = bh_facts_t()
        (facts.boot_id, facts.port) = (7, 80)
        var now = facts
        (now.boot_id, now.port, now.stalled_ms) = (sign.boot, sign.port, sign.stalled)
        bh_row_store(row, &now)
        bh_word_store(&row.pointee.heard_ms, sign.heard ? FakeTable.now - sign.age : 0)
        bh_half_store(&row.pointee.state, sign.state)
        bh_half_store(&row.pointee.own, sign.own ? 1 : 0)
        bh_word_store(&table.segment.pointee.beat_ms, FakeTable.now - sign.moderatorAge)
        #expect(bh_row_life(table.segment, 0, &facts, FakeTable.now) == sign.life)
    }
}
