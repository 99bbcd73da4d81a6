// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

struct HTTPRedirectToIPTests {
    private let redirect = CChar(BACKHAND_MODE_REDIRECT)

    @Test func marksAllThatAreThere() throws {
        let outcome = try FakeTable(count: 3).decide(["HTTPRedirectToIP"])
        #expect(outcome.ids == [0, 1, 2] && outcome.modes == [1, 1, 1] && outcome.hosts == [nil, nil, nil])
        #expect(try FakeTable([]).decide(["HTTPRedirectToIP"]).ids == [])
    }

    @Test func marksNobodyWhoComesLater() throws {
        let outcome = try FakeTable(loads: [1, 3, 2]).decide(["removeSelf", "HTTPRedirectToIP", "addSelf"])
        #expect(outcome.ids == [1, 2, 0] && outcome.modes == [1, 1, 0])
        let sorted = try FakeTable(loads: [1, 3, 2]).decide(["removeSelf", "HTTPRedirectToIP", "addSelf", "byLoad"])
        #expect(sorted.ids == [0, 2, 1] && sorted.modes == [0, 1, 1])
    }

    @Test(arguments: [
        "byLoad", "byRandom", "byCost", "byCPU", "byLogWindow", "byAge 6", "byBusyChildren", "removeSelf", "bySession",
    ])
    func everyFunctionKeepsTheMode(function: String) throws {
        let table = FakeTable(loads: [5, 3, 2, 4])
        let outcome = try table.decide(["removeSelf", "HTTPRedirectToIP", "addSelf", function])
        #expect(outcome.ids.count > 0)
        #expect(outcome.modes == outcome.ids.map { $0 == 0 ? 0 : 1 })
    }

    @Test func replacesTheName() throws {
        let outcome = try FakeTable(count: 2).decide(["HTTPRedirectToName", "HTTPRedirectToIP"])
        #expect(outcome.modes == [1, 1] && outcome.hosts == [nil, nil])
    }

    @Test func loadedFunctionsSeeAndSetIt() throws {
        // Those with odd ids are proxied to again.
        let mine: bh_candidacy_fn = { _, servers, count, _ in
            for place in 0..<Int(count.pointee) {
                guard servers[place].mode == CChar(BACKHAND_MODE_REDIRECT) else { return -1 }
                if servers[place].id % 2 == 1 { servers[place].mode = CChar(BACKHAND_MODE_PROXY) }
            }
            return count.pointee
        }
        let outcome = FakeTable(loads: [4, 3, 2, 1]).decide(
            try Chain(["HTTPRedirectToIP", "mine", "byLoad"], loaded: [1: mine]))
        #expect(outcome.ids == [3, 2, 1, 0] && outcome.modes == [0, 1, 0, 1] && outcome.fault == 0)
    }
}
