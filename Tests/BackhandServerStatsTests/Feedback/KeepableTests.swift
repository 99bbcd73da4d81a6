// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandServerStats

/// How many connections all children may keep to a server that says this of itself.
struct KeepCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var cost = BH_IDLE_WORKER
    var timeout: UInt32 = 5000
    var idle: Int32 = 16
    var kept: Int32 = 0
    var workers: Int32 = 16
    var kappa: UInt32 = 1000
    var others: UInt32 = 10
    var may: UInt32
}

@Suite struct KeepableTests {
    static let all: [KeepCase] = [
        KeepCase(testDescription: "event, all at work: as many as it has workers", cost: BH_IDLE_FREE, idle: 0, may: 16),
        KeepCase(testDescription: "event: and half as many as are idle", cost: BH_IDLE_FREE, idle: 8, may: 20),
        KeepCase(testDescription: "event, one of ten balancers", cost: BH_IDLE_FREE, kappa: 10_000, may: 2),
        KeepCase(testDescription: "event, of no known size: all", cost: BH_IDLE_FREE, idle: 0, workers: 0, may: .max),
        KeepCase(testDescription: "event, nonsense: huge", cost: BH_IDLE_FREE, idle: .max, workers: .max, may: 65_535),
        KeepCase(testDescription: "event, nonsense: more idle than there are", cost: BH_IDLE_FREE, idle: .max, workers: 4, may: 6),
        KeepCase(testDescription: "event, for a second: none", cost: BH_IDLE_FREE, timeout: 1000, may: 0),
        KeepCase(testDescription: "KeepAlive Off: none", cost: BH_IDLE_CLOSED, timeout: 0, may: 0),
        KeepCase(testDescription: "nothing said: one a child", cost: BH_IDLE_UNKNOWN, timeout: 0, idle: 4, may: .max - 1),
        KeepCase(testDescription: "nothing said, few idle workers: none", cost: BH_IDLE_UNKNOWN, timeout: 0, idle: 3, may: 0),
        KeepCase(testDescription: "nothing said, not even of workers", cost: BH_IDLE_UNKNOWN, timeout: 0, idle: 0, workers: 0, may: .max - 1),
        KeepCase(testDescription: "nothing said, nonsense", cost: BH_IDLE_UNKNOWN, timeout: 0, idle: -5, workers: -9, may: .max - 1),
        KeepCase(testDescription: "a quarter of the idle workers", may: 4),
        KeepCase(testDescription: "four workers: one", idle: 4, may: 1),
        KeepCase(testDescription: "three workers: none", idle: 3, may: 0),
        KeepCase(testDescription: "kept ones are not at work", idle: 12, kept: 4, may: 4),
        KeepCase(testDescription: "all at work: none", idle: 0, may: 0),
        KeepCase(testDescription: "half of the balancers", kappa: 2000, may: 2),
        KeepCase(testDescription: "not known yet, two others", kappa: 0, others: 2, may: 2),
        KeepCase(testDescription: "not known yet, no other", kappa: 0, others: 0, may: 4),
        KeepCase(testDescription: "one of ten", idle: 150, kappa: 10_000, may: 3),
        KeepCase(testDescription: "we send more than it gets", kappa: 500, may: 4),
        KeepCase(testDescription: "a second is none", timeout: 1000, may: 0),
        KeepCase(testDescription: "a little more than a second", timeout: 1001, may: 4),
        KeepCase(testDescription: "nonsense: negative", idle: -5, kept: -7, may: 0),
        KeepCase(testDescription: "nonsense: huge", idle: .max, kept: .max, may: 65_535),
    ]

    @Test(arguments: all) func rights(of one: KeepCase) {
        var facts = bh_facts_t()
        facts.idle_cost = one.cost.rawValue
        (facts.keepalive_ms, facts.workers, facts.idle_workers, facts.kept_workers) = (one.timeout, one.workers, one.idle, one.kept)
        #expect(keepable(facts, kappa: one.kappa, others: one.others) == one.may)
    }
}
