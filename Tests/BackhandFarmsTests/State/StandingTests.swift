// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

@Suite struct StandingTests {
    @Test func isAbleAtFirst() {
        let farms = FarmSegment(["10.0.0.4", "10.0.0.5"])
        farms.now += 1_000_000_000
        #expect(farms.standing(1) == BH_STANDING_ABLE)
        #expect(farms.select([1, 2]) == ([1, 2], [100, 100], [0, 1]))
        #expect(farms.select([0, 2]).rows == [0, 2], "a member without a row")
    }

    @Test(arguments: [
        (["off"], BH_STANDING_OFF), (["down"], BH_STANDING_DOWN), (["down", "off"], BH_STANDING_OFF),
        (["on", "up"], BH_STANDING_ABLE),
    ]) func goesBySwitches(_ words: [String], _ standing: bh_standing_t) {
        let farms = FarmSegment(["10.0.0.4", "10.0.0.5"])
        for word in words { farms.update(1, word) }
        #expect(farms.standing(1) == standing)
        let left = farms.select([1, 2])
        #expect(left.rows == (standing == BH_STANDING_ABLE ? [1, 2] : [2]))
        #expect(left.places == (standing == BH_STANDING_ABLE ? [0, 1] : [1]))
        farms.update(1, "on", "up")
        #expect(farms.select([1, 2]).rows == [1, 2])
    }

    @Test func nobodyIsLeftOfAFarmThatIsOff() {
        let farms = FarmSegment([("one", 0, ["10.0.0.4"]), ("two", 0, ["10.0.0.4"])])
        #expect(farms.turnFarm(1, on: false) == BH_OK)
        #expect(farms.select([1]).rows == [])
        #expect(farms.select([1], farm: 2).rows == [1])
        #expect(farms.turnFarm(1, on: true) == BH_OK)
        #expect(farms.select([1]).rows == [1])
        #expect(farms.turnFarm(9, on: false) == BH_EINVAL)
    }

    /// A server that two farms have has one state, and each farm has its own patience.
    @Test func isOutWithoutUpdates() {
        let farms = FarmSegment([("one", 30, ["10.0.0.4"]), ("two", 0, ["10.0.0.4"]), ("three", 60, ["10.0.0.4"])])
        farms.now += 30_000
        #expect(farms.standing(1) == BH_STANDING_ABLE, "it has so long to send the first one")
        farms.now += 1
        #expect(
            [1, 2, 3].map { farms.standing(1, farm: $0) } == [BH_STANDING_OUT, BH_STANDING_ABLE, BH_STANDING_ABLE])
        #expect(farms.value(BH_ATH_CODE_IN, row: 1) == "0" && farms.value(BH_ATH_CODE_IN, farm: 2, row: 1) == "1")
        farms.update(1)
        #expect(farms.standing(1) == BH_STANDING_ABLE)
        farms.now += 30_001
        #expect(farms.standing(1) == BH_STANDING_OUT)
        farms.update(1, "on", "order")
        #expect(farms.standing(1) == BH_STANDING_OUT, "what an administrator says is no sign of life")
    }

    /// Back as after a silence: it gets a growing share.
    @Test func begins_slowly_again() {
        let farms = FarmSegment(["10.0.0.4"], expect: 30)
        #expect(bh_row_came(farms.row(1)) == 0)
        farms.update(1, "up")
        #expect(bh_row_came(farms.row(1)) == 0)
        farms.update(1, "down")
        farms.now += 100
        farms.update(1, "up")
        #expect(bh_row_came(farms.row(1)) == farms.now)
        farms.now += 40_000
        farms.update(1)
        #expect(bh_row_came(farms.row(1)) == farms.now)
    }
}
