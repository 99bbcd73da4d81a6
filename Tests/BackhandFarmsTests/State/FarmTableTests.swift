// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandFarms

@Suite struct FarmTableTests {
    private func piece(_ text: StaticString) -> bh_piece_t {
        bh_piece_t(
            start: UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), length: text.utf8CodeUnitCount)
    }

    @Test func numbersFarms() {
        let farms = FarmSegment()
        #expect(farms.configure([("one", 0, ["10.0.0.4"]), ("two", 30, ["10.0.0.4", "10.0.0.5"])]) == [1, 2])
        #expect(bh_farm_find(farms.segment, piece("TWO")) == 2)
        #expect(bh_farm_find(farms.segment, piece("three")) == 0)
        #expect(farms.value(BH_ATH_CODE_FARM, farm: 2) == "two")
    }

    /// Farms keep their numbers, which children of the last configuration have; and all keep their states.
    @Test func keepsStatesOverRestarts() {
        let farms = FarmSegment()
        _ = farms.configure([("one", 0, ["10.0.0.4"]), ("two", 30, ["10.0.0.5"])])
        farms.update(1, "off", "threads=4000")
        #expect(farms.turnFarm(2, on: false) == BH_OK)
        farms.now += 5000
        #expect(farms.configure([("two", 30, ["10.0.0.5"]), ("new", 0, ["10.0.0.4"])]) == [2, 3])
        #expect(farms.standing(1, farm: 3) == BH_STANDING_OFF)
        #expect(farms.standing(2, farm: 2) == BH_STANDING_FARM_OFF)
        #expect(farms.value(BH_ATH_CODE_STATISTIC, farm: 3, row: 1, name: "threads") == "4000")
        #expect(farms.value(BH_ATH_CODE_ON, farm: 1) == nil, "it is not named any more")
    }

    @Test func forgetsWhatIsNotNamed() {
        let farms = FarmSegment()
        _ = farms.configure([("one", 0, ["10.0.0.4", "10.0.0.5"])])
        farms.update(2, "off", "threads=4000")
        #expect(farms.turnFarm(1, on: false) == BH_OK)
        _ = farms.configure([("other", 0, ["10.0.0.4"])])
        #expect(farms.configure([("one", 0, ["10.0.0.4", "10.0.0.5"])]) == [3])
        #expect(farms.standing(2, farm: 3) == BH_STANDING_ABLE)
        #expect(farms.value(BH_ATH_CODE_STATISTIC, farm: 3, row: 2, name: "threads") == nil)
    }

    @Test func takesNoMoreFarmsThanThereIsRoomFor() {
        let farms = FarmSegment()
        let many = (0...Int(BH_FARMS)).map { ("farm\($0)", UInt32(0), ["10.0.0.4"]) }
        let numbers = farms.configure(many)
        #expect(numbers.prefix(Int(BH_FARMS)).elementsEqual(1...UInt32(BH_FARMS)) && numbers.last == 0)
        #expect(farms.configure([many.last!]) == [1], "a place that is free again")
        #expect(farms.value(BH_ATH_CODE_FARM, farm: 1) == "farm\(BH_FARMS)")
    }

    @Test func listsTheFirstMembersOfALargeFarm() {
        let farms = FarmSegment((1...70).map { "10.0.0.\($0)" })
        #expect(farms.value(BH_ATH_CODE_MEMBERS) == "64")
        #expect(farms.select(Array(1...70)).rows.count == 70)
    }

    /// They are listed while they have the row.
    @Test func listsServersThatJoin() {
        let farms = FarmSegment(["10.0.0.4"], expect: 30)
        var facts = bh_facts_t()
        (facts.address, facts.port, facts.boot_id, facts.sequence) = (parseAddress("10.0.0.9")!, 80, 9, 1)
        facts.setHostname("web9.example.com")
        var writer = StatsWriter(segment: farms.segment, epoch: bh_segment_own(farms.segment, 1))
        #expect(writer.hear(facts, now: farms.now, wall: 1) == .row(2))
        for _ in 0..<2 { bh_farm_join(farms.segment, 1, 2, piece("web9.example.com"), farms.now) }
        #expect(farms.value(BH_ATH_CODE_MEMBERS) == "2")
        #expect(farms.value(BH_ATH_CODE_HOST, row: 2) == "web9.example.com")
        #expect(bh_server_find(farms.segment, piece("WEB9"), 0) == 2)
        #expect(bh_server_find(farms.segment, piece("web9.example.com"), 2) == 0)
        #expect(bh_server_find(farms.segment, piece("web"), 0) == 0)
        farms.now += 31_000
        #expect(farms.standing(2) == BH_STANDING_OUT)
        bh_farm_join(farms.segment, 1, 7, piece("nobody"), farms.now)
        facts.setHostname("other.example.com")
        facts.sequence = 2
        #expect(writer.hear(facts, now: farms.now, wall: 1) == .row(2))
        #expect(farms.value(BH_ATH_CODE_MEMBERS) == "1")
    }
}
