// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

/// What one balancer tells another one.
@Suite(.serialized) struct MirrorTests {
    let here = FarmSegment([("one", 0, ["10.0.0.4", "10.0.0.5:8080"])])
    /// The same farm in another order, with another clock.
    let there = FarmSegment([("other", 0, ["10.0.0.9"]), ("ONE", 30, ["10.0.0.5:8080", "10.0.0.4"])])

    init() { there.now = 50_000 }

    /// A datagram with what is to be told: its length stands in its header.
    private func told(_ farms: FarmSegment, room: Int = 1200, at now: UInt64? = nil) -> [UInt8] {
        var datagram = [UInt8](repeating: 0, count: 1200)
        let length = datagram.withUnsafeMutableBytes {
            bh_farms_announce(farms.segment, now ?? farms.now, $0.baseAddress!, 96 + 36, room)
        }
        #expect(length >= 96 + 36 && length <= room)
        if length > 132 {
            #expect(Int(datagram[6]) << 8 | Int(datagram[7]) == length)
            #expect(Array(datagram[length - 36..<length - 32]) == [0, 3, 0, 32])
        }
        return Array(datagram.prefix(length))
    }

    private func hear(_ datagram: [UInt8], _ farms: FarmSegment) {
        datagram.withUnsafeBytes { bh_farms_hear(farms.segment, $0.baseAddress!, $0.count, farms.now) }
    }

    @Test func tellsStatesAndNumbers() {
        #expect(told(here).count == 132, "there is nothing to tell")
        here.update(1, "off", "load=750", "idle=250", "threads=40000", "queue=-5")
        here.update(2, "down", "order")
        #expect(here.turnFarm(1, on: false) == BH_OK)
        here.now += 3000
        hear(told(here), there)
        #expect(there.standing(2, farm: 2) == BH_STANDING_FARM_OFF)
        let id: UInt32 = 3
        #expect(there.value(BH_ATH_CODE_HOST, farm: 2, row: id) == "10.0.0.4")
        #expect(there.value(BH_ATH_CODE_ON, farm: 2, row: id) == "0")
        #expect(there.value(BH_ATH_CODE_LOAD, farm: 2, row: id) == "750")
        #expect(there.value(BH_ATH_CODE_IDLE, farm: 2, row: id) == "250")
        #expect(there.value(BH_ATH_CODE_STATISTIC, farm: 2, row: id, name: "threads") == "40000")
        #expect(there.value(BH_ATH_CODE_STATISTIC, farm: 2, row: id, name: "queue") == "-5")
        #expect(there.value(BH_ATH_CODE_AGE, farm: 2, row: id) == "3")
        #expect(
            there.value(BH_ATH_CODE_UP, farm: 2, row: 2) == "0" && there.value(BH_ATH_CODE_AGE, farm: 2, row: 2) == nil)
        #expect(told(there).count == 132, "what others have told is not told on")
    }

    @Test func onlyNewerOnesCount() {
        here.update(1, "off")
        let first = told(here)
        here.now += 1000
        here.update(1, "on")
        let second = told(here)
        hear(second, there)
        hear(first, there)
        #expect(there.value(BH_ATH_CODE_ON, farm: 2, row: 3) == "1", "what is as new is not newer")
        there.now += 5000
        there.update(3, "off")
        hear(told(here, at: here.now + 2000), there)
        #expect(there.value(BH_ATH_CODE_ON, farm: 2, row: 3) == "0")
        #expect(!bh_stamp_is_mirrored(bh_segment_state(there.segment, 3).pointee.off))
    }

    /// All of it arrives, in several datagrams; changes come first.
    @Test func goesOnWithTheNextOne() {
        let members = (1...60).map { "10.0.1.\($0)" }
        let many = FarmSegment(members)
        let other = FarmSegment(members)
        for id in 1...60 { many.update(UInt32(id), "down", "load=\(id)") }
        for _ in 0..<8 {
            many.now += 1000
            hear(told(many, room: 600), other)
        }
        #expect((1...60).allSatisfy { other.value(BH_ATH_CODE_LOAD, row: UInt32($0)) == String($0) })
        many.now += 1000
        many.update(37, "load=7")
        let (once, twice) = (told(many, room: 600), told(many, room: 600))
        #expect(once == twice, "each destination gets the same")
        hear(once, other)
        #expect(other.value(BH_ATH_CODE_LOAD, row: 37) == "7")
    }

    /// No byte of it traps, and none is read beyond the end.
    @Test func strangeBytesDoNoHarm() {
        here.update(1, "off", "load=750", "threads=40000")
        #expect(here.turnFarm(1, on: false) == BH_OK)
        let whole = told(here)
        for length in 0..<whole.count { hear(Array(whole.prefix(length)), there) }
        for place in 96..<whole.count {
            for value in [0, 0xff] as [UInt8] {
                var wrong = whole
                wrong[place] = value
                hear(wrong, there)
            }
        }
    }
}
