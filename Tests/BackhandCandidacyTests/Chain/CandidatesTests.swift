// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

@testable import BackhandCandidacy

private func server(
    _ address: String, load: Int32 = 0, own: Bool = false, heard: UInt64 = FakeTable.now, backoff: UInt64 = 0
) -> FakeServer {
    FakeServer(load: load, heard: heard, backoff: backoff, own: own, address: address)
}

/// Row 0 is the machine, rows 2 and 4 are its virtual hosts, 1, 3 and 5 are others.
private let machine = [
    server("10.0.0.1", load: 100, own: true), server("10.0.0.2", load: 200), server("10.1.0.1", load: 300, own: true),
    server("10.1.0.2", load: 400), server("10.2.0.1", load: 500, own: true), server("10.2.0.2", load: 600),
]
private let farAway = FakeTable.now + 1000

/// Of which servers a list can consist, whoever is "here".
struct CandidatesTests {
    @Test(
        arguments: [
            (0, [0, 1, 3, 5]), (2, [1, 2, 3, 5]), (4, [1, 3, 4, 5]),
            // No such row: row 0 it is.
            (6, [0, 1, 3, 5]), (.max, [0, 1, 3, 5]),
        ] as [(UInt32, [Int32])])
    func ofOurOwnRowsOnlySelf(own: UInt32, ids: [Int32]) throws {
        #expect(FakeTable(machine).decide(try Chain([]), own: own).ids == ids)
    }

    @Test(
        arguments: [
            (["removeSelf"], [1, 3, 5]),
            (["removeSelf", "addSelf"], [1, 3, 5, 2]),
            (["addSelf"], [1, 2, 3, 5]),
            (["byLoad"], [1, 2, 3, 5]),
            (["byLoad 0.5"], [2, 1, 3, 5]),
            (["byBusyChildren 1"], [2, 1, 3, 5]),
        ] as [([String], [Int32])])
    func functionsTakeItForSelf(chain: [String], ids: [Int32]) throws {
        #expect(FakeTable(machine).decide(try Chain(chain), own: 2).ids == ids)
    }

    @Test(
        arguments: [
            (["10.1.0.0/24"], 2, [2, 3]),
            (["10.1.0.2"], 2, [2, 3]),
            (["10.9.0.0/16"], 2, [2]),  // self always may
            (["10.9.0.0/16"], 0, [0]),
            (["10.0.0.0/24", "10.2.0.0/24"], 4, [1, 4, 5]),
            (["0.0.0.0/0"], 4, [1, 3, 4, 5]),
            (["::/0"], 4, [1, 3, 4, 5]),
            (["2001:db8::/32"], 4, [4]),
        ] as [([String], UInt32, [Int32])])
    func networksOfTheRequest(networks: [String], own: UInt32, ids: [Int32]) throws {
        let accepted = try networks.map { try parseNetwork($0) }
        #expect(FakeTable(machine).decide(try Chain([]), own: own, accepted: accepted).ids == ids)
    }

    /// Self is never left out for a refusal, whichever row it is; row 0 may be, when it is not self.
    @Test func onlySelfIsExemptFromBackoff() throws {
        var servers = machine
        servers[2].backoff = farAway
        servers[3].backoff = farAway
        servers[0].own = false
        servers[0].backoff = farAway
        let outcome = FakeTable(servers).decide(try Chain([]), own: 2)
        #expect(outcome.ids == [1, 2, 5] && !outcome.lastResort)
    }

    /// A moderator that stops in the middle of a write takes no server from the network.
    @Test func aRowThatIsBeingWritten() throws {
        let table = FakeTable(machine)
        bh_segment_row_mutable(table.segment, 3).pointee.lock += BH_PHASE_FACTS.rawValue
        #expect(table.decide(try Chain([]), own: 2, accepted: [try parseNetwork("10.1.0.0/24")]).ids == [2, 3])
    }

    /// A loaded function may put any id into the list: what may not be there is taken out, and the rest stays.
    @Test func loadedFunctionsAddNothingElse() throws {
        let everybody: bh_candidacy_fn = { _, slots, count, _ in
            for id in 0..<6 { slots[id].id = Int32(id) }
            count.pointee = 6
            return 6
        }
        let chain = try Chain(["everybody"], loaded: [0: everybody])
        let table = FakeTable(machine)
        #expect(table.decide(chain).ids == [0, 1, 3, 5])
        #expect(table.decide(chain, own: 2).ids == [1, 2, 3, 5])
        let outcome = table.decide(chain, own: 2, accepted: [try parseNetwork("10.1.0.0/24")])
        #expect(outcome.ids == [2, 3] && outcome.fault == 0 && !outcome.lastResort)
    }
}
