// Licensed under the Apache License, Version 2.0; see LICENSE.

// What else one can install: the choice, not the plumbing, read from the sources that each rule names. Each balancer
// has numbers of its own, shared by all of its processes and threads (httpd's scoreboard, nginx's zone). Where versions
// differ, it is the one that Debian 12 ships.

/// Counts requests in flight, and leaves out failed servers for a while, as far as a rival does so.
///
/// After the ban httpd sends what comes (mod_proxy, ap_proxy_retry_worker with retry=60), nginx one request
/// (ngx_http_upstream_round_robin.c: checked and accessed, fail_timeout=10). HAProxy bans no server without health
/// checks: it repeats elsewhere (retry-on 503, option redispatch 1).
class ReferenceRule: Rule {
    let cluster: Cluster
    let weights: [Int]
    /// Seconds for which a server that failed gets nothing: nginx's fail_timeout, httpd's retry; 0: it goes on getting
    /// its share.
    private let banned: Double
    /// Whether one request is enough to see whether a banned server is back.
    private let probes: Bool
    private(set) var inFlight: [[Int]]
    private var bannedUntil: [[Double]]
    private var isProbed: [[Bool]]
    var random: Random

    init(_ cluster: Cluster, weights: [Int]? = nil, banned: Double = 0, probes: Bool = false, seed: UInt64) {
        self.cluster = cluster
        self.weights = weights ?? Array(repeating: 1, count: cluster.servers.count)
        self.banned = banned
        self.probes = probes
        let balancers = cluster.scenario.isSymmetric ? 1 : cluster.scenario.balancers
        inFlight = Array(repeating: Array(repeating: 0, count: self.weights.count), count: balancers)
        bannedUntil = Array(repeating: Array(repeating: 0, count: self.weights.count), count: balancers)
        isProbed = Array(repeating: Array(repeating: false, count: self.weights.count), count: balancers)
        random = Random(seed: seed, stream: .choices)
    }

    /// The server to take; candidates are not empty.
    func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int { candidates[0] }

    final func choose(balancer: Int, tried: UInt64, demand: Double, at now: Double) -> Int? {
        var candidates = cluster.servers.indices.filter {
            cluster.isUp[$0] && tried >> UInt64($0) & 1 == 0 && bannedUntil[balancer][$0] <= now
        }
        if candidates.isEmpty {
            candidates = cluster.servers.indices.filter { cluster.isUp[$0] && tried >> UInt64($0) & 1 == 0 }
        }
        guard !candidates.isEmpty else { return nil }
        let server = pick(candidates, balancer: balancer, at: now)
        if probes, bannedUntil[balancer][server] > 0, !isProbed[balancer][server] {
            isProbed[balancer][server] = true
            bannedUntil[balancer][server] = now + banned
        }
        return server
    }

    /// The least; among equal ones the first.
    final func least(_ candidates: [Int], _ key: (Int) -> Double) -> Int {
        var best = candidates[0]
        var bestKey = key(best)
        for server in candidates.dropFirst() {
            let candidate = key(server)
            if candidate < bestKey { (best, bestKey) = (server, candidate) }
        }
        return best
    }

    /// One of them in proportion to their weights.
    final func drawByWeight(_ candidates: [Int]) -> Int {
        var left = random.below(candidates.reduce(0) { $0 + weights[$1] })
        for server in candidates {
            left -= weights[server]
            if left < 0 { return server }
        }
        return candidates[candidates.count - 1]
    }

    func begin(balancer: Int, server: Int, at now: Double) {
        inFlight[balancer][server] += 1
    }

    func end(balancer: Int, server: Int, took: Double, failed: Bool, at now: Double) {
        inFlight[balancer][server] -= 1
        if failed {
            bannedUntil[balancer][server] = now + banned
            isProbed[balancer][server] = false
        } else if isProbed[balancer][server] {
            bannedUntil[balancer][server] = 0
            isProbed[balancer][server] = false
        }
    }

    func hear(balancer: Int, _ announced: Announced) {}
    func tick(balancer: Int, at now: Double) {}
    func closed(_ announced: Announced) {}
    func entered(server: Int, at now: Double) {}
    func left(server: Int, took: Double, at now: Double) {}
}

/// The negative control: the least announced queue for its capacity, by all balancers that heard the same announcement.
final class Herd: ReferenceRule {
    private lazy var announced = inFlight.map { $0.map { _ in 0.0 } }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        least(candidates) { announced[balancer][$0] }
    }

    override func hear(balancer: Int, _ announcement: Announced) {
        announced[balancer][announcement.server] = (announcement.meanInFlight + 1) / announcement.capacity
    }
}

/// The bound: knows every server as it is now, and takes where the request will end first. Not optimal for those that
/// come after, but no rule that can be installed knows more.
final class Oracle: ReferenceRule {
    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        let working = candidates.filter { !cluster.scenario.machines[$0].fails(at: now) }
        return least(working.isEmpty ? candidates : working) {
            let server = cluster.servers[$0]
            let queue = Double(server.inFlight + 1)
            // Of servers with a free core the fastest; of equally fast ones the emptiest.
            return max(1, queue / server.cores) / server.speed + queue / server.cores * 1e-6
        }
    }
}
