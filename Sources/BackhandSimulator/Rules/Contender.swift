// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandTestbed

/// A rule of the table, by the name that it has there.
public struct Contender: Sendable {
    /// The name in the table.
    public let name: String
    /// Whether it is a rival, ours, or a control.
    public let kind: Kind
    let make: @Sendable (Cluster, UInt64) throws -> any Rule

    /// The kinds of rules in the table.
    public enum Kind: Sendable {
        /// A rival that Debian has, with nothing configured.
        case bare
        /// Such a rival with weights, or with weights and an agent.
        case tuned
        /// A rival that Debian does not have yet.
        case coming
        case ours
        /// One cannot install it: a bound or a control.
        case control
    }

    init(_ name: String, _ kind: Kind = .bare, _ make: @escaping @Sendable (Cluster, UInt64) throws -> any Rule) {
        self.name = name
        self.kind = kind
        self.make = make
    }

    /// Our own code with these lines after Backhand. A balancer that serves nothing itself removes itself.
    public static func chain(_ name: String, _ lines: [String]) -> Contender {
        Contender(name, .ours) { cluster, seed in
            try ChainRule(
                cluster, chain: Chain((cluster.scenario.isSymmetric ? [] : ["removeSelf"]) + lines), seed: seed)
        }
    }

    /// In the order of the table: the rivals, ours, the bound and the control.
    public static var all: [Contender] { rivals + ours + controls }

    static var rivals: [Contender] {
        [
            Contender("httpd byrequests") { ByRequests($0, banned: 60, seed: $1) },
            Contender("httpd byrequests, weights", .tuned) {
                ByRequests($0, weights: capacities($0), banned: 60, seed: $1)
            },
            Contender("httpd bybusyness") { ByBusyness($0, banned: 60, seed: $1) },
            Contender("httpd heartbeat") { Heartbeat($0, banned: 60, seed: $1) },
            Contender("HAProxy leastconn") { LeastConn($0, seed: $1) },
            Contender("HAProxy leastconn, weights", .tuned) { LeastConn($0, weights: capacities($0), seed: $1) },
            // Twice the weights, or half of 1 would be none.
            Contender("HAProxy leastconn, weights, agent", .tuned) {
                LeastConn($0, weights: capacities($0).map { 2 * $0 }, agent: true, seed: $1)
            },
            Contender("HAProxy random(2)") { RingRandom($0, seed: $1) },
            Contender("HAProxy random(2), weights", .tuned) { RingRandom($0, weights: capacities($0), seed: $1) },
            Contender("nginx least_conn") { LeastConnections($0, banned: 10, probes: true, seed: $1) },
            Contender("nginx least_conn, weights", .tuned) {
                LeastConnections($0, weights: capacities($0), banned: 10, probes: true, seed: $1)
            },
            Contender("nginx random two") { RandomTwo($0, banned: 10, probes: true, seed: $1) },
            Contender("nginx random two, weights", .tuned) {
                RandomTwo($0, weights: capacities($0), banned: 10, probes: true, seed: $1)
            },
            Contender("nginx least_time", .coming) { LeastTime($0, seed: $1) },
            Contender("nginx least_time, inflight", .coming) { LeastTime($0, ages: true, seed: $1) },
        ]
    }

    static var ours: [Contender] {
        [
            chain("old chain", ["byAge 6", "byRandom", "byLogWindow", "byLoad"]),
            chain("byLeastTime", ["byAge 4", "byLeastTime"]),
            chain("byForecast", ["byAge 4", "byForecast"]),
        ]
    }

    static var controls: [Contender] {
        [
            Contender("herd", .control) { Herd($0, seed: $1) },
            Contender("oracle", .control) { Oracle($0, seed: $1) },
        ]
    }

    /// What an administrator who knows the machines writes down, once: their size, not what happens to them. The least
    /// whole numbers.
    private static func capacities(_ cluster: Cluster) -> [Int] {
        let sizes = cluster.scenario.machines.map { $0.capacity }
        let least = sizes.min() ?? 1
        let scale = (1...20).first { scale in
            sizes.allSatisfy { abs(($0 / least * Double(scale)).rounded() - $0 / least * Double(scale)) < 1e-6 }
        }
        return sizes.map { max(1, min(100, Int(($0 / least * Double(scale ?? 20)).rounded()))) }
    }
}
