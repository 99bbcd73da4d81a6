// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import Testing

@Suite struct ServerStateTests {
    let table = TestSegment(bootID: 1)

    private func hear(
        _ writer: inout StatsWriter, _ sequence: UInt64, at now: UInt64, boot: UInt64 = 7,
        state: bh_state_t = BH_STATE_UP
    ) {
        var facts = announcement("10.0.0.4", boot: boot, sequence: sequence)
        facts.state = UInt8(state.rawValue)
        #expect(writer.hear(facts, now: now, wall: 5) == .row(1))
    }

    private var came: UInt64 { bh_row_came(table.row(1)) }

    @Test func whenAServerHasCome() {
        var writer = table.writer()
        hear(&writer, 1, at: 1000)
        #expect(came == 1000)
        hear(&writer, 2, at: 2000)
        hear(&writer, 20, at: 22_000)
        #expect(came == 1000, "20 s are no silence yet")
        hear(&writer, 30, at: 42_001)
        #expect(came == 42_001, "20 s and a bit are")
        hear(&writer, 1, at: 43_000, boot: 8)
        #expect(came == 43_000, "restarted")
        hear(&writer, 2, at: 44_000, boot: 8, state: BH_STATE_DRAINING)
        #expect(bh_row_state(table.row(1)) == BH_STATE_DRAINING.rawValue)
        hear(&writer, 3, at: 60_000, boot: 8, state: BH_STATE_SHUTDOWN)
        hear(&writer, 4, at: 61_000, boot: 8)
        #expect(came == 61_000 && bh_row_state(table.row(1)) == BH_STATE_UP.rawValue, "takes requests again")
    }

    /// A server whose check passes again gets a growing share, unless it gets one anyway: at a start, the first check
    /// may come too early.
    @Test(arguments: [(2000, 3000, 1000), (60_000, 61_000, 61_000)] as [(UInt64, UInt64, UInt64)])
    func whenItsCheckPassesAgain(fails: UInt64, passes: UInt64, expected: UInt64) {
        var writer = table.writer()
        writer.listening = fails
        for (time, check) in [
            (1000, BH_FINDING_NONE.rawValue), (fails, BH_FINDING_STATUS.rawValue | UInt32(BH_CHECK_FAILING)),
            (passes, BH_FINDING_PASSES.rawValue),
        ] {
            var facts = announcement("10.0.0.4", boot: 7, sequence: time / 1000)
            facts.check = check
            #expect(writer.hear(facts, now: time, wall: 5) == .row(1))
            #expect(bh_row_fails_check(table.row(1)) == (time == fails))
        }
        #expect(came == expected)
    }

    /// A moderator that did not listen for a minute knows nothing of silence.
    @Test func silenceCountsWhileSomebodyListens() {
        var writer = table.writer()
        hear(&writer, 1, at: 1000)
        writer.listening = 61_000
        hear(&writer, 60, at: 61_500)
        #expect(came == 1000)
        writer.listening = 100_000
        hear(&writer, 90, at: 120_001)
        #expect(came == 120_001)
    }

    /// Somebody sets the clock back and forth: nothing but mtime and last_announced notices.
    @Test func theWallClockIsOfNoConsequence() {
        var writer = table.writer()
        for (sequence, wall) in [
            (1, 1_700_000_000), (2, 1_700_003_601), (3, 1_699_996_403), (4, 0), (5, -5), (6, .max),
        ] as [(UInt64, Int64)] {
            var facts = announcement("10.0.0.4", boot: 7, sequence: sequence)
            facts.changed_wall = wall
            #expect(writer.hear(facts, now: sequence * 1000, wall: wall) == .row(1))
            #expect(bh_row_heard(table.row(1)) == sequence * 1000 && came == 1000)
            #expect(table.facts(1)?.changed_wall == wall)
        }
    }

    @Test func ordersStayWithTheServer() throws {
        var writer = table.writer()
        hear(&writer, 1, at: 1000)
        let address = try #require(parseAddress("10.0.0.4"))
        let id = try #require(row(in: table.segment, rows: 2, of: address, port: 80))
        #expect(id == 1 && row(in: table.segment, rows: 2, of: address, port: 81) == nil)
        order(BH_STATE_MAINTENANCE, in: table.segment, id)
        hear(&writer, 2, at: 2000)
        hear(&writer, 1, at: 3000, boot: 9)
        #expect(bh_row_state(table.row(1)) == BH_STATE_MAINTENANCE.rawValue && bh_row_closed(table.row(1)))
        let text = String(decoding: stateJSON(table.segment, 1, underWay: nil), as: UTF8.self)
        #expect(
            text == #"{"address":"10.0.0.4","port":80,"state":"maintenance","announced":"up","ordered":"maintenance","#
                + #""under_way":0}"# + "\n")
        hear(&writer, 2, at: 33_000, boot: 9)
        order(BH_STATE_UP, in: table.segment, id)
        #expect(came == 33_000, "back, as after a silence")
    }

    @Test func anOrderForOurselves() {
        var writer = table.writer()
        writer.writeSelf(announcement("10.0.0.1", boot: 1), now: 1000, wall: 5)
        hear(&writer, 1, at: 1000)
        orderSelf(BH_STATE_DRAINING, in: table.segment, rows: 2, now: 1500)
        #expect(
            bh_row_state(table.row(0)) == BH_STATE_DRAINING.rawValue
                && bh_row_state(table.row(1)) == BH_STATE_UP.rawValue)
        #expect(table.segment.pointee.state == BH_STATE_DRAINING.rawValue)
        orderSelf(BH_STATE_UP, in: table.segment, rows: 2, now: 9000)
        #expect(bh_row_came(table.row(0)) == 9000)
    }

    /// The order, whether the drain file is there, and what is so then, which stays so whichever of both comes first.
    @Test(
        arguments: [
            (BH_STATE_UP, false, BH_STATE_UP), (BH_STATE_UP, true, BH_STATE_DRAINING),
            (BH_STATE_DRAINING, false, BH_STATE_DRAINING), (BH_STATE_DRAINING, true, BH_STATE_DRAINING),
            (BH_STATE_MAINTENANCE, false, BH_STATE_MAINTENANCE), (BH_STATE_MAINTENANCE, true, BH_STATE_MAINTENANCE),
        ], [true, false])
    func anOrderAndTheDrainFile(_ given: (ordered: bh_state_t, file: Bool, state: bh_state_t), orderFirst: Bool) {
        var writer = table.writer()
        writer.writeSelf(announcement("10.0.0.1", boot: 1), now: 1000, wall: 5)
        hear(&writer, 1, at: 1000)
        if orderFirst { orderSelf(given.ordered, in: table.segment, rows: 2, now: 1500) }
        noteDrainFile(given.file, in: table.segment, rows: 2, now: 1500)
        if !orderFirst { orderSelf(given.ordered, in: table.segment, rows: 2, now: 1500) }
        #expect(ownState(table.segment) == given.state && bh_row_state(table.row(0)) == given.state.rawValue)
        #expect(hasDrainFile(table.segment) == given.file && table.segment.pointee.state == given.ordered.rawValue)
        #expect(bh_row_state(table.row(1)) == BH_STATE_UP.rawValue)
    }

    @Test func theEndOfBothIsAReturn() {
        var writer = table.writer()
        writer.writeSelf(announcement("10.0.0.1", boot: 1), now: 1000, wall: 5)
        orderSelf(BH_STATE_DRAINING, in: table.segment, rows: 1, now: 1500)
        noteDrainFile(true, in: table.segment, rows: 1, now: 2000)
        orderSelf(BH_STATE_UP, in: table.segment, rows: 1, now: 3000)
        #expect(bh_row_came(table.row(0)) == 1000 && bh_row_state(table.row(0)) == BH_STATE_DRAINING.rawValue)
        noteDrainFile(false, in: table.segment, rows: 1, now: 4000)
        #expect(bh_row_came(table.row(0)) == 4000 && bh_row_state(table.row(0)) == BH_STATE_UP.rawValue)
    }

    /// Words that another process has damaged are states all the same.
    @Test func nonsenseIsAState() {
        bh_half_store(&table.segment.pointee.drain_file, .max)
        #expect(ownState(table.segment) == BH_STATE_DRAINING)
        bh_half_store(&table.segment.pointee.state, .max)
        #expect(ownState(table.segment) == BH_STATE_MAINTENANCE)
    }

    @Test func theDrainFileIsNamed() throws {
        let text = Array("/run/a \"b\"".utf8).withUnsafeBufferPointer {
            String(decoding: stateJSON(table.segment, 0, underWay: 3, drainFile: Word($0)), as: UTF8.self)
        }
        #expect(text.hasSuffix(#","under_way":3,"drain_file":"/run/a \"b\""}"# + "\n"))
    }

    @Test(
        arguments: [(0, "up"), (1, "draining"), (2, "maintenance"), (3, "shutdown"), (99, "shutdown")]
            as [(UInt32, String)])
    func names(state: UInt32, name: String) {
        #expect(stateName(state).description == name)
    }
}
