// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

@Suite struct ViewTests {
    let farms = FarmSegment([("one", 0, ["10.0.0.4:8080", "10.0.0.5"]), ("two", 0, ["10.0.0.5"])])

    @Test func showsMembers() {
        farms.row(1).pointee.in_flight = 3
        farms.row(1).pointee.served = 7
        farms.row(1).pointee.failed = 2
        farms.row(1).pointee.recent_us = 12_500
        let shown = "nhouicvwdgeab".map { letter in
            farms.value(bh_ath_code_t(UInt32(letter.asciiValue!)), row: 1) ?? "-"
        }
        #expect(shown == ["one", "10.0.0.4:8080", "1", "1", "1", "3", "8080", "1000", "12500", "7", "2", "-", "0"])
        for code in [BH_ATH_CODE_LOAD, BH_ATH_CODE_IDLE, BH_ATH_CODE_ABLE, BH_ATH_CODE_OUTPUT] {
            #expect(farms.value(code, row: 1) == nil)
        }
        #expect(farms.value(BH_ATH_CODE_PORT, row: 2) == "0" && farms.value(BH_ATH_CODE_DELAY, row: 2) == nil)
    }

    @Test func showsReasons() {
        #expect(farms.value(BH_ATH_CODE_REASON, row: 1) == "")
        bh_half_store(&farms.row(1).pointee.ordered, BH_STATE_DRAINING.rawValue)
        #expect(farms.value(BH_ATH_CODE_REASON, row: 1) == "drained (here)")
        bh_half_store(&farms.row(1).pointee.ordered, BH_STATE_UP.rawValue)
        bh_word_store(&farms.row(1).pointee.backoff_until_ms, farms.now + 1500)
        #expect(farms.value(BH_ATH_CODE_REASON, row: 1) == "back-off 2 s")
        #expect(farms.value(BH_ATH_CODE_BACKOFF, row: 1) == "1500")
        farms.update(1, "down")
        #expect(farms.value(BH_ATH_CODE_REASON, row: 1) == "down", "states count first")
        #expect(farms.value(BH_ATH_CODE_REASON, row: 2, isChosen: true) == "the only one of 2")
        farms.update(1, "up")
        bh_word_store(&farms.row(1).pointee.backoff_until_ms, 0)
        #expect(farms.value(BH_ATH_CODE_REASON, row: 2, isChosen: true) == "best of 2")
        #expect(farms.turnFarm(1, on: false) == BH_OK)
        #expect(farms.value(BH_ATH_CODE_REASON, row: 2) == "farm off")
    }

    /// What the status page says of the server counts here too: failures, checks, clocks, and the time since it came.
    @Test func showsWhatTheStatusPageSays() {
        let row = farms.row(1)
        func reason() -> String? { farms.value(BH_ATH_CODE_REASON, row: 1) }
        bh_word_store(&row.pointee.came_ms, farms.now - 9999)
        #expect(reason() == "slow start")
        bh_word_store(&farms.row(2).pointee.came_ms, farms.now - 9999)
        #expect(reason() == "", "members that came together share as equals")
        bh_word_store(&farms.row(2).pointee.came_ms, 0)
        farms.update(2, "down")
        #expect(reason() == "", "and one without requests has no share")
        _ = bh_doubt_begin(row, 3, BH_DOUBT_FAILING.rawValue, 0)
        #expect(reason() == "doubt")
        bh_word_store(bh_row_failing(row, 3), bh_mean_word(410_000, 1))
        #expect(reason() == "failing 41 %")
        #expect(farms.value(BH_ATH_CODE_REASON, row: 1, isChosen: true) == "the only one of 2: failing 41 %")
        var facts = row.pointee.facts
        facts.check = UInt32(BH_CHECK_FAILING) | BH_FINDING_STATUS.rawValue | 503 << 16
        withUnsafeMutableBytes(of: &facts.check_name) { $0.copyBytes(from: Array("/health".utf8)) }
        (row.pointee.facts, row.pointee.before) = (facts, facts)
        #expect(reason() == "check /health: status 503")
        facts.clock_s = 61
        (row.pointee.facts, row.pointee.before) = (facts, facts)
        #expect(reason() == "clock")
    }

    /// A server that two farms have is two members, and its requests count once.
    @Test func sumsFarms() {
        for id in 1...2 as ClosedRange<UInt32> {
            farms.row(id).pointee.in_flight = 10 * id
            farms.row(id).pointee.served = UInt64(100 * id)
        }
        farms.update(2, "down")
        let codes = [BH_ATH_CODE_ON, BH_ATH_CODE_ABLE, BH_ATH_CODE_MEMBERS, BH_ATH_CODE_IN_FLIGHT, BH_ATH_CODE_SERVED]
        #expect(codes.map { farms.value($0, farm: 1) } == ["1", "1", "2", "30", "300"])
        #expect(codes.map { farms.value($0, farm: 2) } == ["1", "0", "1", "20", "200"])
        #expect(codes.map { farms.value($0, farm: 0) } == ["1", "1", "3", "30", "300"])
        #expect(codes.map { farms.value($0, farm: 3) } == [nil, nil, nil, nil, nil])
    }

    @Test func walksThroughMembersAndFarms() {
        var view = bh_view_t()
        view.segment = UnsafePointer(farms.segment)
        var members: [String] = []
        while bh_view_member(&view, 0, UInt32(members.count)) {
            members.append("\(view.farm) \(view.row) \(view.text.string) \(view.weight)")
        }
        #expect(members == ["1 1 10.0.0.4:8080 100", "1 2 10.0.0.5 100", "2 2 10.0.0.5 100"])
        #expect(bh_view_member(&view, 2, 0) && view.row == 2 && !bh_view_member(&view, 2, 1))
        #expect(bh_view_farm(&view, 1) && view.farm == 2 && view.row == 0 && !bh_view_farm(&view, 2))
        #expect(!bh_view_farm(nil, 0) && !bh_view_member(nil, 0, 0))
    }
}
