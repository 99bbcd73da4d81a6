// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

@Test func aKindIsToldOnceAMinute() {
    var log = DropLog()
    func note(_ kind: bh_counter_t, _ now: UInt64) -> UInt64? { log.note(kind, now: now) }
    #expect(note(BH_COUNT_FOREIGN, 10) == 1)
    for now in 11..<UInt64(1011) { #expect(note(BH_COUNT_FOREIGN, now) == nil) }
    #expect(note(BH_COUNT_FOREIGN, 60_009) == nil)
    #expect(note(BH_COUNT_FOREIGN, 60_010) == 1002, "with all that were not told")
    #expect(note(BH_COUNT_FOREIGN, 60_011) == nil)
}

@Test func kindsDoNotSilenceEachOther() {
    var log = DropLog()
    func note(_ kind: bh_counter_t, _ now: UInt64) -> UInt64? { log.note(kind, now: now) }
    #expect(note(BH_COUNT_FOREIGN, 10) == 1)
    #expect(note(BH_COUNT_VERSION, 10) == 1)
    #expect(note(bh_counter_t(rawValue: 99), 10) == nil, "an unknown kind is no trap")
}

@Test func eachDropHasANumberOfItsOwn() {
    let lines = (0..<BH_COUNTERS.rawValue).compactMap { dropLine(bh_counter_t(rawValue: $0)) }
    #expect(Set(lines.map(\.number)).count == 16)
    #expect(lines.allSatisfy { (310...329).contains($0.number) || $0.number == 352 })
    for quiet in [BH_COUNT_RECEIVED, BH_COUNT_ACCEPTED, BH_COUNT_OWN, BH_COUNT_REPEATED, BH_COUNT_ANNOUNCED] {
        #expect(dropLine(quiet) == nil)
    }
}
