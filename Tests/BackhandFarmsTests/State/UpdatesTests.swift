// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

@Suite struct UpdatesTests {
    @Test func writesWhatIsPushed() {
        let farms = FarmSegment(["10.0.0.4"])
        #expect(farms.update(1, "load=750", "idle=250", "threads=40000", "queue=-500") == BH_OK)
        #expect(farms.value(BH_ATH_CODE_LOAD, row: 1) == "750")
        #expect(farms.value(BH_ATH_CODE_IDLE, row: 1) == "250")
        #expect(farms.value(BH_ATH_CODE_STATISTIC, row: 1, name: "queue") == "-500")
        #expect(farms.value(BH_ATH_CODE_STATISTIC, row: 1, name: "threads") == "40000")
        #expect(farms.value(BH_ATH_CODE_STATISTIC, row: 1, name: "thread") == nil)
        // Where custom functions and byLoad look.
        #expect(bh_public_load(&farms.publicRow(1).pointee.load) == 750)
        #expect(bh_public_load(&farms.publicRow(1).pointee.cpu) == 250)
    }

    @Test(arguments: [(UInt32(0), UInt64(60_000)), (UInt32(5), UInt64(5000))])
    func countsWhileItIsFresh(_ expect: UInt32, _ lasts: UInt64) {
        let farms = FarmSegment([("one", expect, ["10.0.0.4"]), ("two", 0, ["10.0.0.4"])])
        farms.update(1, "load=750", "threads=1")
        farms.now += lasts
        #expect(farms.value(BH_ATH_CODE_LOAD, row: 1) == "750")
        farms.now += 1
        #expect(farms.value(BH_ATH_CODE_LOAD, row: 1) == nil)
        #expect(farms.value(BH_ATH_CODE_STATISTIC, row: 1, name: "threads") == nil)
        #expect(farms.value(BH_ATH_CODE_AGE, row: 1) == String(lasts / 1000))
    }

    /// All or nothing.
    @Test func refusesTheSeventeenthName() {
        let farms = FarmSegment(["10.0.0.4"])
        for number in 0..<15 { #expect(farms.update(1, "name\(number)=\(number)") == BH_OK) }
        #expect(farms.update(1, "a=1", "a=2", "name3=4") == BH_OK, "one more name, twice, and one that is there")
        #expect(farms.value(BH_ATH_CODE_STATISTIC, row: 1, name: "a") == "2")
        #expect(farms.update(1, "name3=5", "b=1", "load=1", "off") == BH_ESPACE)
        #expect(farms.value(BH_ATH_CODE_STATISTIC, row: 1, name: "name3") == "4")
        #expect(farms.value(BH_ATH_CODE_LOAD, row: 1) == nil && farms.value(BH_ATH_CODE_ON, row: 1) == "1")
        #expect(farms.update(1, "name3=6", "off") == BH_OK)
    }

    @Test func refusesWhatIsImpossible() {
        let farms = FarmSegment(["10.0.0.4"])
        #expect(farms.update(0, "off") == BH_EINVAL)
        #expect(farms.update(2, "off") == BH_EINVAL)
        #expect(farms.update(UInt32.max, "off") == BH_EINVAL)
        #expect(farms.update(1, "idle=1001", "off") == BH_EINVAL)
        #expect(farms.update(1, "nameless", "off") == BH_EINVAL)
        #expect(farms.update(1, String(repeating: "x", count: 64) + "=1", "off") == BH_EINVAL)
        #expect(farms.update(1, String(repeating: "x", count: 63) + "=1") == BH_OK)
        #expect(farms.standing(1) == BH_STANDING_ABLE)
        #expect(
            bh_member_update(nil, 1, nil, 1) == BH_EINVAL && bh_member_update(farms.segment, 1, nil, 1) == BH_EINVAL)
    }

    /// What another balancer tells counts if it is newer; what arrives here always does.
    @Test func keepsTheNewest() {
        let farms = FarmSegment(["10.0.0.4"])
        let word = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        defer { word.deallocate() }
        word.pointee = 0
        #expect(turn(word, off: true, Change(ms: 100, isMirrored: true)))
        #expect(!turn(word, off: false, Change(ms: 100, isMirrored: true)))
        #expect(bh_switch_is_set(word.pointee) && bh_stamp_is_mirrored(word.pointee))
        #expect(turn(word, off: false, Change(ms: 99, isMirrored: false)))
        #expect(!bh_switch_is_set(word.pointee) && bh_stamp_ms(word.pointee) == 99)
        #expect(turn(word, off: true, Change(ms: 101, isMirrored: true)))
        _ = farms
    }
}
