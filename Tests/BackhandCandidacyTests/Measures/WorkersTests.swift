// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

@Suite struct WorkersTests {
    private func here(_ idle: Int32, of announced: Int32, reserve: Int32 = 1, shortSince: UInt64 = 0) -> WorkersHere {
        WorkersHere(idle: idle, reserve: reserve, announced: announced, shortSince: shortSince)
    }

    private func there(_ idle: Int32, of workers: Int32 = 4, heard: UInt64 = 1000, more: Double = 0) -> WorkersThere {
        WorkersThere(idle: idle, workers: workers, heard: heard, more: more)
    }

    /// The rule as a table.
    @Test func rule() {
        let cases: [(WorkersHere, WorkersThere, Bool, String)] = [
            (here(3, of: 3), there(3), true, "plenty at both"),
            (here(3, of: 3), there(1), false, "the last idle one there is to stay"),
            (here(3, of: 3), there(2), false, "two of four are busy: in a moment all may be"),
            (here(8, of: 8, reserve: 2), there(8, of: 16), true, "eight of sixteen are busy: four may come"),
            (here(8, of: 8, reserve: 2), there(4, of: 16), false, "and then none is left"),
            (here(0, of: 3), there(4), false, "none is left here, which was not so at the last announcement"),
            (here(0, of: 0), there(4), false, "the last announcement had none, but others need not be of that time"),
            (
                here(0, of: 0, shortSince: 999), there(4), true,
                "none here for long, and the other says that it has some"
            ),
            (here(0, of: 0, shortSince: 1000), there(4), false, "it said that before"),
            (here(0, of: 0, shortSince: 999), there(1), false, "it has none to spare"),
            (here(2, of: 3), there(3), false, "one came here since: as many may have come there"),
            (here(2, of: 3), there(4), true, "nothing is busy there: three are to spare"),
            (here(3, of: 3), there(4, more: 3), false, "so many are on their way"),
            (here(3, of: 3), there(4, of: 64), false, "four of many are to stay"),
            (here(3, of: 3), there(5, of: 64), true, "one more"),
            (here(3, of: 3), there(0, of: 0), true, "workers are not announced"),
            (here(0, of: 0, shortSince: 1), there(0, of: 0), false, "not announced is no worker to wait for"),
            (here(3, of: 64, reserve: 4), there(64, of: 64), false, "fewer than four here"),
            (here(3, of: 3), there(.min, of: .max), false, "nonsense"),
            (here(.min, of: .max), there(.max, of: .max), false, "nonsense"),
        ]
        for (here, there, expected, why) in cases { #expect(there.may(take: here) == expected, "\(why)") }
    }

    @Test func reserve() {
        #expect(
            [Int32.min, 0, 1, 4, 15, 16, 31, 150, .max].map { bh_workers_reserve($0) } == [1, 1, 1, 1, 1, 2, 3, 4, 4])
    }

    /// Only as many are counted as make a difference.
    @Test func enough() {
        #expect(WorkersHere.enough(60, 8, spare: 50) == 11)
        #expect(WorkersHere.enough(60, 8, spare: 56) == 8)
        #expect(WorkersHere.enough(4, 1, spare: 3) == 2)
        #expect(WorkersHere.enough(60, 8, spare: .infinity) == 8)
        #expect(WorkersHere.enough(3, 1, spare: -5) == 3, "the next one may have some")
    }

    /// Debian's prefork httpd keeps five to ten idle, whatever is busy: there is always one to spare.
    @Test(arguments: [(10, 40), (7, 60), (5, 80), (10, 100), (5, 149)] as [(Int32, Int32)]) func prefork(
        idle: Int32, workers: Int32
    ) {
        #expect(there(idle, of: workers).may(take: here(5, of: 5, reserve: 4)))
    }

    /// What is said of this server, or of a session, holds: addSelf makes it one candidate like the others.
    @Test(
        arguments: [
            (["bySession", "addSelf"], [1, 0]), (["byAge 6", "byLoad", "addSelf"], [1, 2, 0]),
            (["byResource load<0.25", "byLoad", "addSelf"], [1, 2, 0]),
        ] as [([String], [Int32])]) func fallback(lines: [String], order: [Int32]) throws
    {
        let table = table {
            for place in 0..<3 { $0[place].address = "10.0.0.\(place)" }
            ($0[1].announcedIdle, $0[2].announcedIdle) = (0, 0)
            if lines[0] == "byAge 6" { $0[0].heard = 5 }
        }
        #expect(try table.decide(Chain(lines), cookie: "PHPSESSID=0a000001", idle: { min($0, 4) }).ids == order)
    }

    /// It comes back, but not behind one that is in doubt.
    @Test func doubtful() throws {
        let table = table {
            $0[1].announcedIdle = 0
            $0[2].doubts = [BH_DOUBT_FAILS, BH_DOUBT_FAILING]
            $0[2].probe = FakeTable.now + 1000
        }
        for seed in 1...20 {
            #expect(
                try table.decide(Chain(["bySample 2", "byLoad"]), seed: UInt64(seed), idle: { min($0, 4) }).ids.first
                    == 0)
        }
    }

    /// All that were left are in doubt: it comes back ahead of them.
    @Test func allDoubtful() throws {
        let table = table {
            $0[0].load = 9000
            for place in 1...2 {
                $0[place].announcedIdle = 0
                $0[place].doubts = [BH_DOUBT_FAILS]
                $0[place].probe = FakeTable.now + 1000
            }
        }
        for seed in 1...20 {
            #expect(try table.decide(Chain(["bySample 1"]), seed: UInt64(seed), idle: { min($0, 4) }).ids.first == 0)
        }
    }

    /// A server that drains takes no request because others have few workers, with addSelf in the chain either.
    @Test(arguments: [["byLoad"], ["byLoad", "addSelf"]]) func draining(lines: [String]) throws {
        let table = table { for place in 1...2 { $0[place].announcedIdle = 0 } }
        bh_half_store(&bh_segment_row_mutable(table.segment, 0).pointee.ordered, BH_STATE_DRAINING.rawValue)
        #expect(try decide(table, lines) { min($0, 4) } == [1, 2])
    }

    /// This server, and two others that it would be sent to first.
    private func table(_ change: (inout [FakeServer]) -> Void = { _ in }) -> FakeTable {
        var servers = [300, 100, 200].map { FakeServer(load: $0, announcedIdle: 4, announcedWorkers: 4) }
        servers[0].own = true
        change(&servers)
        return FakeTable(servers)
    }

    private func decide(
        _ table: FakeTable, _ lines: [String], _ idle: (@convention(c) (UInt32) -> UInt32)?, seed: UInt64 = 1
    ) throws -> [Int32] {
        table.decide(try Chain(lines), seed: seed, idle: idle).ids
    }

    @Test func chains() throws {
        #expect(try decide(table(), ["byLoad"]) { min($0, 4) } == [1, 2, 0])
        #expect(try decide(table(), ["byLoad"]) { _ in 0 } == [0, 1, 2], "none left here")
        #expect(try decide(table(), ["byLoad"], nil) == [1, 2, 0], "not asked")
        #expect(
            try decide(table { $0[1].announcedIdle = 1 }, ["byLoad"]) { min($0, 4) } == [2, 1, 0],
            "the next one has some")
        #expect(
            try decide(
                table {
                    $0[1].announcedIdle = 1; $0[2].announcedIdle = 0
                }, ["byLoad"]
            ) { min($0, 4) } == [0, 1, 2], "none has")
        #expect(
            try decide(
                table {
                    $0[0].announcedIdle = 0; $0[0].shortSince = 5
                }, ["byLoad"]
            ) { _ in 0 } == [1, 2, 0], "for long")
    }

    /// This server first, and two others: 16 workers each, requests a second, and requests that are under way.
    private func uneven(
        announced: Int32 = 4, arrivals: [UInt32] = [100, 20, 20], busy: [UInt32] = [12, 3, 2]
    )
        -> FakeTable
    {
        let table = table { servers in
            for place in 0..<3 {
                servers[place].load = Int32(100 * place)
                servers[place].announcedWorkers = 16
                servers[place].announcedIdle = place == 0 ? announced : 12
            }
        }
        for place in 0..<3 {
            let row = bh_segment_row_mutable(table.segment, UInt32(place))
            row.pointee.facts.arrival_rate = 1000 * arrivals[place]
            row.pointee.facts.mean_in_flight = 1000 * busy[place]
        }
        return table
    }

    private func relieve(
        _ table: FakeTable, free: Bool = true, scarce: Bool = false, _ idle: @convention(c) (UInt32) -> UInt32
    ) throws -> Int32? {
        table.decide(try Chain(["byLoad"]), idle: idle, sendsFree: free, isScarce: scarce).ids.first
    }

    /// A node that is asked more than the others, and has few workers left, sends on what holds none of them.
    @Test func relief() throws {
        #expect(try relieve(uneven()) { min($0, 4) } == 2, "the one with the fewest requests")
        #expect(try relieve(uneven(), free: false) { min($0, 4) } == 0, "it would hold a worker")
        #expect(try relieve(uneven()) { min($0, 8) } == 0, "half are idle")
        #expect(try relieve(uneven(), scarce: true) { min($0, 8) } == 2, "half are idle, but not in this process")
        #expect(try relieve(uneven(announced: 12), scarce: true) { min($0, 4) } == 0, "a peak of this process")
        #expect(try relieve(uneven(announced: 12)) { min($0, 4) } == 0, "a peak")
        #expect(try relieve(uneven(arrivals: [50, 45, 45])) { min($0, 4) } == 0, "others are asked as much")
        #expect(try relieve(uneven(busy: [12, 13, 14])) { min($0, 4) } == 0, "others have more")
        #expect(try relieve(uneven(busy: [12, 11, 14])) { min($0, 4) } == 1, "one of them has less")
        #expect(try relieve(uneven(arrivals: [.max / 1000, 0, 0], busy: [0, 0, 0])) { _ in 0 } == 1, "nonsense")
    }

    /// Who has dropped this server as wrong for the request does not find it again; who chose others may.
    @Test func withoutSelf() throws {
        #expect(try decide(table(), ["removeSelf", "byLoad"]) { _ in 0 } == [1, 2])
        #expect(try decide(table { $0[0].heard = 5 }, ["byAge 6", "byLoad"]) { _ in 0 } == [1, 2])
        #expect(
            try decide(table(), ["removeSelf", "byLoad", "addSelf"]) { _ in 0 } == [1, 2, 0], "it is to be the last")
        #expect(try decide(table(), ["byLoad", "byLogWindow"]) { _ in 0 } == [0, 1])
        #expect(try decide(table(), ["byLoad", "byLogWindow", "removeSelf"]) { _ in 0 } == [1])
        #expect(
            try decide(table(), ["byLoad", "byLogWindow", "byAge"]) { _ in 0 } == [1], "it might have dropped this one")
        #expect(try decide(table(), ["byLoad", "byLogWindow"]) { min($0, 4) } == [1])
        #expect(
            try (1...50).allSatisfy {
                try decide(table(), ["byAge 6", "byRandom", "byLogWindow", "byLoad"], { _ in 0 }, seed: $0)[0] == 0
            })
    }

    @Test func elsewhere() throws {
        #expect(
            try decide(table(), ["byLoad", "HTTPRedirectToIP"]) { _ in 0 } == [1, 2, 0],
            "a client that is redirected needs no worker here")
        #expect(
            try decide(table { $0[0].doubts = [BH_DOUBT_FAILING] }, ["byLoad"]) { _ in 0 } == [1, 2, 0],
            "it fails what it serves")
        #expect(
            table().decide(try Chain(["bySession"]), cookie: "PHPSESSID=0a000001", idle: { _ in 0 }).status
                == BH_OK.rawValue)
        #expect(
            table().decide(try Chain(["byLoad"]), tried: [0], idle: { _ in 0 }).ids == [1, 2],
            "it has failed the request")
    }
}
