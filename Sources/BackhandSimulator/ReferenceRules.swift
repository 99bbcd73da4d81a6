// Licensed under the Apache License, Version 2.0; see LICENSE.

// What else one can install, as short as it can be written: the choice, not the plumbing. Each balancer has numbers of its own.

/// Counts requests in flight, and leaves out for a while who failed, as far as a rival does so.
class ReferenceRule: Rule {
    let cluster: Cluster
    let weights: [Double]
    /// Seconds for which a server that failed gets nothing: nginx's fail_timeout, httpd's retry; 0: it goes on getting its share.
    private let banned: Double
    private(set) var inFlight: [[Int]]
    private var bannedUntil: [[Double]]
    var random: Random
    private var turn = 0
    private var lastTurn: [[Int]]

    init(_ cluster: Cluster, weights: [Double]? = nil, banned: Double = 0, seed: UInt64) {
        self.cluster = cluster
        self.weights = weights ?? Array(repeating: 1, count: cluster.servers.count)
        self.banned = banned
        let balancers = cluster.scenario.isSymmetric ? 1 : cluster.scenario.balancers
        inFlight = Array(repeating: Array(repeating: 0, count: self.weights.count), count: balancers)
        bannedUntil = Array(repeating: Array(repeating: 0, count: self.weights.count), count: balancers)
        lastTurn = Array(repeating: Array(repeating: 0, count: self.weights.count), count: balancers)
        random = Random(seed: seed, stream: .choices)
    }

    /// The server to take; candidates are not empty.
    func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int { candidates[0] }

    final func choose(balancer: Int, tried: UInt64, demand: Double, at now: Double) -> Int? {
        var candidates = cluster.servers.indices.filter {
            cluster.isUp[$0] && tried >> UInt64($0) & 1 == 0 && bannedUntil[balancer][$0] <= now
        }
        if candidates.isEmpty { candidates = cluster.servers.indices.filter { cluster.isUp[$0] && tried >> UInt64($0) & 1 == 0 } }
        guard !candidates.isEmpty else { return nil }
        let server = pick(candidates, balancer: balancer, at: now)
        turn += 1
        lastTurn[balancer][server] = turn
        return server
    }

    /// The least; among equal ones the one whose turn is longest ago.
    final func least(_ candidates: [Int], _ balancer: Int, _ key: (Int) -> Double) -> Int {
        var best = candidates[0]
        var bestKey = key(best)
        for server in candidates.dropFirst() {
            let candidate = key(server)
            guard candidate < bestKey || candidate == bestKey && lastTurn[balancer][server] < lastTurn[balancer][best] else { continue }
            (best, bestKey) = (server, candidate)
        }
        return best
    }

    /// One of them in proportion to their weights.
    final func drawByWeight(_ candidates: [Int]) -> Int {
        var left = random.unit() * candidates.reduce(0) { $0 + weights[$1] }
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
        if failed { bannedUntil[balancer][server] = now + banned }
    }

    func hear(balancer: Int, _ announced: Announced) {}
    func tick(balancer: Int, at now: Double) {}
    func closed(_ announced: Announced) {}
    func entered(server: Int, at now: Double) {}
    func left(server: Int, took: Double, at now: Double) {}
}

/// httpd's byrequests: whose debt is greatest.
final class ByRequests: ReferenceRule {
    private lazy var debts = inFlight.map { $0.map { _ in 0.0 } }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        for server in candidates { debts[balancer][server] += weights[server] }
        let best = least(candidates, balancer) { -debts[balancer][$0] }
        debts[balancer][best] -= candidates.reduce(0) { $0 + weights[$1] }
        return best
    }
}

/// httpd's bybusyness and nginx's least_conn: fewest in flight by weight; of equal ones, as byrequests.
final class LeastBusy: ReferenceRule {
    private lazy var debts = inFlight.map { $0.map { _ in 0.0 } }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        let busy = { Double(self.inFlight[balancer][$0]) / self.weights[$0] }
        let fewest = candidates.map(busy).min() ?? 0
        let equal = candidates.filter { busy($0) == fewest }
        for server in equal { debts[balancer][server] += weights[server] }
        let best = least(equal, balancer) { -debts[balancer][$0] }
        debts[balancer][best] -= equal.reduce(0) { $0 + weights[$1] }
        return best
    }
}

/// HAProxy's leastconn: (in flight + 1) / weight, but 0 for an idle server. With agent-check each server says once a second how much of its
/// capacity is left.
final class LeastConn: ReferenceRule {
    private let agent: Bool
    private lazy var shares = inFlight.map { $0.map { _ in 1.0 } }

    init(_ cluster: Cluster, weights: [Double]? = nil, agent: Bool = false, seed: UInt64) {
        self.agent = agent
        super.init(cluster, weights: weights, seed: seed)
    }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        least(candidates, balancer) {
            let flying = inFlight[balancer][$0]
            return flying == 0 ? 0 : Double(flying + 1) / (weights[$0] * shares[balancer][$0])
        }
    }

    override func hear(balancer: Int, _ announced: Announced) {
        if agent { shares[balancer][announced.server] = max(0.01, announced.cores / announced.totalCores) }
    }
}

/// HAProxy's random(2), nginx's random two least_conn: two by weight, the one with fewer in flight by weight.
final class TwoRandom: ReferenceRule {
    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        let first = drawByWeight(candidates)
        let second = drawByWeight(candidates.count > 1 ? candidates.filter { $0 != first } : candidates)
        let (left, right) = (inFlight[balancer][first], inFlight[balancer][second])
        return Double(left) / weights[first] <= Double(right) / weights[second] ? first : second
    }
}

/// As nginx's commercial least_time: own moving mean of the time, in classes of 20 ms, times (in flight + 1).
final class LeastTime: ReferenceRule {
    private lazy var means = inFlight.map { $0.map { _ in 0.0 } }
    private lazy var stamps = inFlight.map { $0.map { _ in 0.0 } }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        least(candidates, balancer) {
            // Nobody heard of for long is worth a try.
            let idle = now - stamps[balancer][$0] > 10 ? 0.5 : 1
            let time = (means[balancer][$0] / 0.020).rounded(.down) * 0.020
            return max(time, 0.020) * idle * Double(inFlight[balancer][$0] + 1) / weights[$0]
        }
    }

    override func end(balancer: Int, server: Int, took: Double, failed: Bool, at now: Double) {
        super.end(balancer: balancer, server: server, took: took, failed: failed, at: now)
        let old = means[balancer][server]
        let time = failed ? max(took, 1) : took
        means[balancer][server] = old == 0 ? time : old + (time - old) * (1 - exponent(-(now - stamps[balancer][server]) / 1))
        stamps[balancer][server] = now
    }
}

/// The negative control: the least announced queue for its capacity, by all who heard the same announcement.
final class Herd: ReferenceRule {
    private lazy var announced = inFlight.map { $0.map { _ in 0.0 } }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        least(candidates, balancer) { announced[balancer][$0] }
    }

    override func hear(balancer: Int, _ announcement: Announced) {
        announced[balancer][announcement.server] = (announcement.meanInFlight + 1) / announcement.capacity
    }
}

/// The bound: knows every server as it is now, and takes where the request will end first. Not optimal for those that come after, but
/// nobody who can be installed knows more.
final class Oracle: ReferenceRule {
    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        let working = candidates.filter { cluster.scenario.machines[$0].failsFrom == nil }
        return least(working.isEmpty ? candidates : working, balancer) {
            let server = cluster.servers[$0]
            let queue = Double(server.inFlight + 1)
            // Of servers with a free core the fastest; of equally fast ones the emptiest.
            return max(1, queue / server.cores) / server.speed + queue / server.cores * 1e-6
        }
    }
}
