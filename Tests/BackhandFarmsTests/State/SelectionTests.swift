// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

/// Weights by what is pushed and answered.
@Suite struct SelectionTests {
    let farms = FarmSegment((4...7).map { "10.0.0.\($0)" })

    @Test func sharesByIdleProcessors() {
        farms.update(1, "idle=1000")
        #expect(farms.select([1, 2]).weights == [10_000, 10_000], "of the other one nothing is known")
        farms.update(2, "idle=250")
        #expect(farms.select([1, 2]).weights == [10_000, 5000])
        farms.update(2, "idle=0")
        #expect(farms.select([1, 2]).weights == [10_000, 2236])
        farms.now += 60_001
        #expect(farms.select([1, 2]).weights == [10_000, 10_000])
    }

    @Test func sharesByLoad() {
        farms.update(1, "load=0")
        farms.update(2, "load=3000")
        #expect(farms.select([1, 2]).weights == [10_000, 5000])
    }

    /// As requests in flight.
    @Test func countsAnswers() {
        bh_answer_count(farms.segment, 1, farms.now)
        #expect(farms.select([1, 2]).weights == [5000, 10_000])
        farms.row(1).pointee.in_flight = 2
        #expect(farms.select([1, 2]).weights == [7500, 10_000])
    }

    /// 1,000 answers in one second, each to the member that has the least for its weight: none is herded to.
    @Test(arguments: [[UInt32](repeating: 100, count: 4), [100, 200, 400]])
    func spreadsAnswers(_ weights: [UInt32]) {
        var counts = weights.map { _ in 0 }
        for turn in 0..<1000 {
            farms.now += turn % 2 == 0 ? 1 : 1
            var members = weights.indices.map { bh_member_t(row: UInt32($0 + 1), weight: weights[$0]) }
            #expect(bh_farm_select(farms.segment, 1, farms.now, &members, nil, UInt32(members.count)) == members.count)
            // byLeastTime, where all take the same time.
            let best = members.max { $0.weight < $1.weight }!.row
            counts[Int(best) - 1] += 1
            bh_answer_count(farms.segment, best, farms.now)
        }
        let total = Double(weights.reduce(0, +))
        for (count, weight) in zip(counts, weights) {
            #expect(abs(Double(count) / 1000 / (Double(weight) / total) - 1) < 0.15, "\(counts)")
        }
    }

    /// Each is one request for its mean time, all in all.
    @Test(arguments: [UInt64(0), 20_000, 5_000_000]) func forgetsAnswers(_ mean: UInt64) {
        let ms = mean == 0 ? 1000 : mean / 1000
        farms.row(1).pointee.recent_us = UInt32(mean)
        for _ in 0..<10 { bh_answer_count(farms.segment, 1, farms.now) }
        #expect(bh_answers_in_flight(farms.segment, 1, farms.now) == 10_000)
        #expect(farms.value(BH_ATH_CODE_IN_FLIGHT, row: 1) == "10")
        farms.now += ms
        #expect(abs(Int(bh_answers_in_flight(farms.segment, 1, farms.now)) - 3679) < 40)
        farms.now += 8 * ms
        #expect(bh_answers_in_flight(farms.segment, 1, farms.now) == 0)
        #expect(farms.select([1, 2]).weights == [10_000, 10_000])
    }

    @Test func neverCountsBelowZeroNorAbove() {
        for _ in 0..<10_000 { bh_answer_count(farms.segment, 1, farms.now) }
        #expect(bh_answers_in_flight(farms.segment, 1, farms.now - 5) == 10_000_000, "another child's clock")
        bh_answer_count(farms.segment, 9, farms.now)
        #expect(bh_answers_in_flight(farms.segment, 9, farms.now) == 0)
    }
}
