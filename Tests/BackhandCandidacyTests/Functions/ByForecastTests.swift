// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

@Suite struct ByForecastTests {
    /// Four cores of arriba 400,000, twelve requests in 20 ms each.
    private var usual: FakeServer {
        FakeServer(
            arriba: 400_000, capacity: 1600, mean: 3, announcedTime: 20_000, inFlight: 1, sentMean: 1, time: 20_000)
    }

    private func with(_ change: (inout FakeServer) -> Void) -> FakeServer {
        var server = usual
        change(&server)
        return server
    }

    /// The formula, worked out by hand: T squared of row 1, in microseconds by thousands of arriba.
    @Test func vectors() throws {
        let cases: [(FakeServer, UInt32, Double)] = [
            // x = 3; F = 4/1600, G = 20000
            (usual, 1000, 0.0025 * 20_000),
            // x = 3 + (3 - 1) = 5; F = 6/1600, G = 20000 * 6/4
            (with { $0.inFlight = 3 }, 1000, 0.00375 * 30_000),
            // 16 balancers: 16^0.85 = 10.5561; x = 3 + 10.5561 = 13.5561
            (with { $0.inFlight = 2 }, 16_000, 14.5560633 / 1600 * 20_000 * 14.5560633 / 4),
            // x is never less than ours: 3 + 10.5561 (0 - 1) is below 0
            (with { $0.inFlight = 0 }, 16_000, 1.0 / 400 * 20_000 / 4),
            // One core alone cannot be faster than its speed: F = max(1/100, 4/1600)
            (with { $0.arriba = 100_000 }, 1000, 0.01 * 20_000),
            // Half of its answers are errors: a sixteenth
            (with { $0.errors = 500_000 }, 1000, 0.0025 * 20_000 * 16),
            // Nothing seen here: what it announces
            (
                with {
                    $0.time = 0; $0.announcedTime = 8000
                }, 1000, 0.0025 * 8000
            ),
        ]
        for (server, balancers, expected) in cases {
            let table = FakeTable([usual, server])
            table.segment.pointee.balancers = balancers
            let forecast = squared(table, 1)
            #expect(abs(forecast / expected - 1) < 1e-6, "\(forecast) is not \(expected)")
        }
    }

    /// Here what is in flight is known exactly, whatever was announced.
    @Test func selfIsExact() throws {
        let table = FakeTable([
            with {
                $0.inFlight = 5; $0.sentMean = 1; $0.mean = 3; $0.own = true
            }, usual,
        ])
        table.segment.pointee.balancers = 8000
        #expect(abs(squared(table, 0, isOwn: true) / (6.0 / 1600 * 20_000 * 6 / 4) - 1) < 1e-6)
    }

    /// Row 0 is ourselves, and exactly one request is here.
    @Test func order() throws {
        let table = FakeTable([
            with { $0.capacity = 800 }, usual, with { $0.inFlight = 4 }, with { $0.time = 15_000 },
            with { $0.errors = 900_000 },
        ])
        #expect(try table.decide(["byForecast"]).ids == [0, 3, 1, 2, 4])
    }

    /// Somebody announces no means: the others' cannot be compared with that, and it is byLeastTime.
    @Test func withoutMeans() throws {
        let table = FakeTable([FakeServer(inFlight: 1, time: 12_000), with { $0.capacity = 1_000_000 }])
        #expect(try table.decide(["byForecast"]).ids == [0, 1])
        #expect(try table.decide(["byForecast"]).ids == table.decide(["byLeastTime"]).ids)
    }

    /// Nobody's time is known of one: it is as good as the best of the others, and not free.
    @Test func withoutTimes() throws {
        let table = FakeTable([
            FakeServer(heard: 0),
            with {
                $0.time = 0; $0.announcedTime = 0; $0.inFlight = 3
            }, usual, with { $0.time = 60_000 },
        ])
        #expect(try table.decide(["byForecast"]).ids == [2, 1, 3])
    }

    /// Nothing was seen of anybody: the best that was announced counts for who announces nothing.
    @Test func announcedTimesOnly() throws {
        let told = with {
            $0.time = 0; $0.announcedTime = 15_000
        }
        let silent = with {
            $0.time = 0; $0.announcedTime = 0; $0.inFlight = 3
        }
        #expect(try table([silent, told, told]).decide(["byForecast"]).ids.last == 1)
    }

    /// Servers without a time take their places among the first 32 as in a full sort.
    @Test func manyWithoutTimes() throws {
        let some = (0..<200).map { id in
            with {
                $0.time = id % 3 == 0 ? 0 : UInt64(10_000 + id * 37 % 200 * 1000); $0.announcedTime = 0;
                $0.inFlight = UInt32(id % 7)
            }
        }
        let all = table(some)
        let ids = try all.decide(["byForecast"]).ids
        #expect(ids.sorted() == Array(1...200))
        let first = ids.prefix(32).map { squared(all, UInt32($0)) }
        let rest = ids.dropFirst(32).map { squared(all, UInt32($0)) }
        #expect(zip(first, first.dropFirst()).allSatisfy { $0 <= $1 * 1.00001 })
        #expect(first.last! <= rest.min()! * 1.00001)
    }

    private func table(_ servers: [FakeServer]) -> FakeTable { FakeTable([FakeServer(heard: 0)] + servers) }

    /// Whatever stands in the table, no decision traps and no server is lost or doubled.
    @Test(arguments: 0..<40)
    func noise(seed: UInt64) throws {
        let table = FakeTable(count: 16)
        table.fillWithNoise(seed: seed)
        bh_half_store(&table.segment.pointee.rows, 16)
        for function in ["byForecast", "byLeastTime", "bySample 16"] {
            let before = try table.decide(["byRandom"]).ids
            #expect(try table.decide([function]).ids.sorted() == before.sorted())
        }
    }

    @Test func defaultIsAgeAndForecast() throws {
        let table = FakeTable([with { $0.heard = FakeTable.now - 6001 }, with { $0.inFlight = 2 }, usual])
        #expect(try table.decide(["default"]).ids == [2, 1])
    }

    private func squared(_ table: FakeTable, _ id: UInt32, isOwn: Bool = false) -> Double {
        let memory = GuardedMemory(Workspace.countsSize + 256 * Workspace.entrySize)
        return withExtendedLifetime((table, memory)) {
            var request = FakeTable.request()
            var run = ChainRun(table.segment, &request, Workspace(memory.inner, loaded: false)!)
            run.gather()
            var forecast = Forecast(run.candidates)
            for place in 0..<run.candidates.count {
                let row = bh_segment_row_mutable(table.segment, run.candidates.list[place].row)
                _ = forecast.time(row, feedback: row)
            }
            let row = bh_segment_row_mutable(table.segment, id)
            let time = forecast.time(row, feedback: row)
            guard let growth = forecast.growth(row, feedback: row, isOwn: isOwn) else { return -1 }
            return growth * (time > 0 ? time : forecast.timeOfUntried) / 1000
        }
    }
}
