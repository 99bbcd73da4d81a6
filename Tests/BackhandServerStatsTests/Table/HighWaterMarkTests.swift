// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandServerStats

struct Machine: Sendable {
    var load: Int32
    var arriba: Int32
    var mark: Int32 = 0
}

@Suite struct HighWaterMarkTests {
    /// Normalised load in thousandths, and the mark: the original's algorithm, computed by hand.
    @Test(
        arguments: [
            (0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 4), (4000, 4), (4001, 8), (8001, 16),
            (512_000, 512), (512_001, 1024), (-1, 1), (.min, 1), (1_048_576_000, 1_048_576), (1_048_576_001, 2_097_152),
            (2_097_152_000, 2_097_152), (2_147_483_648, 2_097_152), (.max, 2_097_152),
        ] as [(Int64, Int64)])
    func marks(load: Int64, expected: Int64) {
        #expect(mark(of: load) == expected)
    }

    @Test(
        arguments: [
            (1000, 500, 1000, 2000),
            (1000, 1000, 1000, 1000),
            (1000, 0, 1000, 0),
            (1000, -5, 1000, 0),
            (-1000, 500, 1000, -2000),
            (1000, 3, 1000, 333_333),
            (.max, 1, .max, 4_611_686_014_132_420_609),
            (.min, 1, .max, -4_611_686_016_279_904_256),
        ] as [(Int32, Int32, Int32, Int64)])
    func normalised(load: Int32, arriba: Int32, fastest: Int32, expected: Int64) {
        #expect(normalisedLoad(load, arriba: arriba, fastest: fastest) == expected)
    }

    @Test(
        arguments: [
            ([], 1000, 0),
            ([Machine(load: 0, arriba: 0)], 1000, 0),
            ([Machine(load: 9000, arriba: 0)], 1000, 0),
            ([Machine(load: 1000, arriba: 100)], 1000, 100),
            ([Machine(load: 1001, arriba: 100)], 2000, 100),
            ([Machine(load: 1000, arriba: 100), Machine(load: 0, arriba: 400)], 4000, 400),
            ([Machine(load: 1001, arriba: 100), Machine(load: 0, arriba: 400)], 8000, 400),
            ([Machine(load: 100, arriba: 100, mark: 512_000), Machine(load: 7312, arriba: 200)], 512_000, 200),
            ([Machine(load: 600_000, arriba: 100, mark: 512_000)], 1_024_000, 100),
            ([Machine(load: 0, arriba: 100, mark: -4000)], 1000, 100),
            (
                [Machine(load: .max, arriba: 1), Machine(load: .max, arriba: .max, mark: .max)], 2_097_152_000,
                Int32.max
            ),
            ([Machine(load: .min, arriba: .min, mark: .min)], 1000, 0),
        ] as [([Machine], Int32, Int32)])
    func cluster(machines: [Machine], expected: Int32, fastest: Int32) {
        let table = TestSegment()
        var writer = table.writer()
        for (number, machine) in machines.enumerated() {
            var facts = announcement("10.0.0.\(number + 1)", boot: UInt64(100 + number))
            facts.load = machine.load
            facts.arriba = machine.arriba
            facts.load_hwm = machine.mark
            if number == 0 {
                writer.writeSelf(facts, now: 1000, wall: 5)
            } else {
                _ = writer.hear(facts, now: 1000, wall: 5)
            }
        }
        #expect(loadHighWaterMark(table.segment, rows: writer.rows) == expected)
        #expect(highestArriba(table.segment, rows: writer.rows) == fastest)
    }
}
