// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

@Suite struct HopTests {
    private func side(
        _ milliseconds: Double, told: Double? = nil, mean: Double = 1, now: Double = 1, concurrency: Double = 4,
        idle: Double = 0.1
    ) -> ForecastSide {
        ForecastSide(
            seen: milliseconds * 1000, told: (told ?? milliseconds) * 1000, mean: mean, now: now,
            concurrency: concurrency,
            capacity: 1600, idle: idle)
    }

    /// The rule as a table, where more clients ask than is this server's share.
    @Test func rule() {
        let cases: [(ForecastSide, ForecastSide, Bool, String)] = [
            (side(20), side(20), false, "equal"),
            (side(20, now: 3), side(20, now: 0), false, "three of four places are taken here: one is free"),
            (side(20, now: 4), side(20, now: 0), true, "none is free: the forecast's order stands"),
            (side(20), side(12), false, "quicker, but by chance"),
            (side(20), side(10), true, "it needs half of the time"),
            (side(20), side(9, told: 20), false, "it says that it does not"),
            (side(20), side(20, told: 9), false, "it does not where it was seen"),
            (side(20), side(9, told: 1), true, "the hop takes 8 ms, 17 in all"),
            (side(20), side(9.9, told: 0.5, mean: 0), true, "just shorter"),
            (side(20), side(10, told: 0.1, now: 3.5), false, "longer with those that are there"),
            (side(20), side(9, now: 8), false, "nine there, where four have places"),
            (side(0), side(20), false, "nothing was seen here"),
            (side(20), side(0), false, "nothing was seen there"),
        ]
        for (here, there, expected, why) in cases {
            #expect(Hop(here: here, there: there, demand: 2).pays == expected, "\(why)")
        }
    }

    /// So many requests are taken as come, where each gets its share, and places are free elsewhere.
    @Test(
        arguments: [
            (1, 2, 6, false), (1, 2, 7, true), (1.25, 2, 6, false), (0.8, 2, 6, false), (1.26, 2, 4, true),
            (0.79, 2, 4, true), (0, 2, 4, true), (0, 2, 3, false),
            (1, 2.8, 4, false), (1, 3.2, 4, true), (1, 5, 4, false), (1, 5, 5.5, true),
        ] as [(Double, Double, Double, Bool)]) func patience(demand: Double, mean: Double, now: Double, pays: Bool)
    {
        #expect(Hop(here: side(20, now: now), there: side(20, mean: mean, now: mean), demand: demand).pays == pays)
    }

    /// Where CPUs are idle, requests wait for something else, whatever their number says.
    @Test(arguments: [(0.2, 5.5, true), (0.4, 9, false), (0.4, 9.6, true)] as [(Double, Double, Bool)]) func idle(
        idle: Double, now: Double, pays: Bool
    ) {
        #expect(Hop(here: side(20, now: now), there: side(20, mean: 5, now: 5, idle: idle), demand: 1).pays == pays)
    }

    /// A usual number is no reason, whatever the cores can do: the others have it as well. Four deviations more are
    /// one, whatever they can do.
    @Test(
        arguments: [
            (4, 2, 6, false), (4, 2, 7, true), (4, 9, 9, false), (4, 9, 10, true), (64, 9, 21, false),
            (64, 9, 22, true), (64, 0, 4, false), (64, 0, 5, true),
        ] as [(Double, Double, Double, Bool)])
    func usual(concurrency: Double, mean: Double, now: Double, pays: Bool) {
        #expect(
            Hop(
                here: side(20, mean: mean, now: now, concurrency: concurrency),
                there: side(20, mean: mean, now: mean, concurrency: concurrency),
                demand: 1
            ).pays == pays)
    }

    /// The second is a little quicker; it gets requests only where no place is free here.
    @Test func chain() throws {
        func first(_ flying: UInt32, demand: UInt32, silentFor: UInt64 = 100) throws -> Int32? {
            let here = FakeServer(
                own: true, arriba: 400_000, capacity: 1600, mean: 3, announcedTime: 20_000, inFlight: flying,
                sentMean: 3, time: 20_000)
            let there = FakeServer(
                arriba: 400_000, capacity: 1600, mean: 1, announcedTime: 18_000, inFlight: 1, sentMean: 1, time: 18_000)
            let table = FakeTable([here, there])
            table.segment.pointee.demand = demand
            bh_word_store(
                &bh_segment_row_mutable(table.segment, 0).pointee.first_byte,
                bh_mean_word(20_000, (FakeTable.now - silentFor) * 1000))
            return try table.decide(["byForecast"]).ids.first
        }
        #expect(try [0, 3, 5, 12].map { try first($0, demand: 2000) } == [0, 0, 1, 1])
        #expect(try [0, 3, 5, 12].map { try first($0, demand: 1000) } == [0, 0, 0, 1])
        #expect(try first(5, demand: 1000, silentFor: 1001) == 1, "nothing has been answered here for a second")
    }
}
