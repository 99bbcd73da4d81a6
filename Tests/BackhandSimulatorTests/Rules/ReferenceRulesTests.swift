// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandSimulator

/// What the sources of the rivals do, in cases that one can follow by hand.
struct ReferenceRulesTests {
    private func cluster(_ count: Int) -> Cluster {
        Cluster(Scenario("some", "", Array(repeating: Machine(cores: 1), count: count)))
    }

    /// Chooses and begins, so many times.
    private func take(_ rule: some Rule, _ times: Int) -> [Int] {
        (0..<times).map { _ in
            let server = rule.choose(balancer: 0, tried: 0, demand: 0, at: 0) ?? -1
            rule.begin(balancer: 0, server: server, at: 0)
            return server
        }
    }

    private func drop(_ rule: some Rule, _ server: Int, failed: Bool = false, at now: Double = 0) {
        rule.end(balancer: 0, server: server, took: 0.01, failed: failed, at: now)
    }

    /// The schedule that the source's comment prints for 1 1 1 2.
    @Test func `byrequests`() {
        #expect(take(ByRequests(cluster(4), weights: [1, 1, 1, 2], seed: 1), 5) == [3, 0, 1, 2, 3])
    }

    /// Weights do not divide what is in flight; they tell who is first among equals.
    @Test func `bybusyness`() {
        #expect(take(ByBusyness(cluster(3), weights: [1, 1, 4], seed: 1), 6) == [2, 0, 1, 2, 0, 1])
    }

    /// Idle ones first, whatever they weigh, in the order in which they became idle.
    @Test func `leastconn`() {
        let rule = LeastConn(cluster(3), weights: [1, 1, 4], seed: 1)
        // Keys after three: 512, 512, 128; the third takes until it has 512 too, and is the last of those.
        #expect(take(rule, 9) == [0, 1, 2, 2, 2, 2, 2, 2, 2])
        #expect(take(rule, 2) == [0, 1])
        for server in [1, 0] { (0..<2).forEach { _ in drop(rule, server) } }
        #expect(take(rule, 2) == [1, 0])
    }

    @Test func `agent`() {
        let rule = LeastConn(cluster(2), weights: [2, 2], agent: true, seed: 1)
        #expect(take(rule, 4) == [0, 1, 0, 1])
        rule.hear(
            balancer: 0,
            Announced(
                window: SharedServer.Window(), now: 1, server: 0, cores: 1, totalCores: 2, workers: 1, idleWorkers: 1,
                speed: 1, arrivals: 0, loadAverage: 0,
                capacityFactor: 1, speedSeen: true, usedByOthers: false, busyWithOthers: 0, overhead: 0,
                limitsSeen: false))
        #expect(take(rule, 2) == [1, 1])
    }

    @Test func `least_conn`() {
        // In flight by weight: all 0; then smooth round robin among those that are equal.
        #expect(take(LeastConnections(cluster(3), weights: [1, 1, 2], seed: 1), 8) == [2, 0, 1, 2, 1, 0, 2, 2])
    }

    /// Shares of the hash ring for 16 points each: far from equal, and the same each time.
    @Test func `ring`() {
        let rule = RingRandom(cluster(4), seed: 1)
        var counts = [0, 0, 0, 0]
        for _ in 0..<40_000 { counts[rule.choose(balancer: 0, tried: 0, demand: 0, at: 0) ?? 0] += 1 }
        #expect(counts.max()! - counts.min()! > 2000)
        #expect(rule.choose(balancer: 0, tried: 0b0111, demand: 0, at: 0) == 3)
    }

    @Test func `random two`() {
        let rule = RandomTwo(cluster(2), seed: 1)
        // Both are always drawn, so the emptier one is taken.
        #expect(Set(take(rule, 2)) == [0, 1])
    }

    /// (10 + 10) ms times one is less than 20 ms times two.
    @Test func `least_time`() {
        let rule = LeastTime(cluster(2), seed: 1)
        let first = take(rule, 2)
        #expect(first == [0, 1])
        drop(rule, 0)
        #expect(take(rule, 1) == [0])
        // Both have one; times 20 and, nothing known, 20: in turn.
        rule.end(balancer: 0, server: 0, took: 0.1, failed: false, at: 0)
        rule.end(balancer: 0, server: 1, took: 0.01, failed: false, at: 0)
        // 0: 10 * 0.95 + 100 * 0.05 + 0.5 = 15 ms, so 20; 1: 20.
        #expect(Set(take(rule, 2)) == [0, 1])
    }

    /// nginx's single request after 10 s; HAProxy goes on.
    @Test func `bans`() {
        let rule = LeastConnections(cluster(2), banned: 10, probes: true, seed: 1)
        func at(_ now: Double) -> Int? { rule.choose(balancer: 0, tried: 0, demand: 0, at: now) }
        #expect(take(rule, 1) == [0])
        drop(rule, 0, failed: true)
        #expect([at(1), at(9)] == [1, 1])
        let later = [at(10.5), at(10.5), at(10.5)]
        #expect(later.filter { $0 == 0 }.count == 1)
        rule.begin(balancer: 0, server: 0, at: 10.5)
        drop(rule, 0, at: 10.6)
        #expect(Set([at(11), at(11), at(11)]) == [0, 1])
    }
}
