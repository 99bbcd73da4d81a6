// Licensed under the Apache License, Version 2.0; see LICENSE.

/// HAProxy's leastconn: least (in flight + 1) / weight, but 0 for an idle server; of equal ones, the one that came to
/// that number first.
///
/// HAProxy 2.6, src/lb_fwlc.c, fwlc_srv_reposition and fwlc_get_next_server: a tree by key, in whole numbers; a server
/// that takes or drops a request is queued again after those of its new key, unless the key stays the same. (3.x has a
/// few such queues a key and takes one at random.) With agent-check each server says once a second how many per cent of
/// its weight are left: src/server.c, server_parse_weight_change_request.
final class LeastConn: ReferenceRule {
    private let agent: Bool
    private lazy var shares = inFlight.map { $0.map { _ in 100 } }
    private lazy var keys = inFlight.map { $0.map { _ in 0 } }
    private lazy var queued = inFlight.map { Array($0.indices) }
    private var turn = 0

    /// SRV_EWGHT_MAX and BE_WEIGHT_SCALE.
    private static let scale = (most: 4096, one: 16)

    init(_ cluster: Cluster, weights: [Int]? = nil, agent: Bool = false, seed: UInt64) {
        self.agent = agent
        super.init(cluster, weights: weights, seed: seed)
        turn = cluster.servers.count
    }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        let (keys, queued) = (keys[balancer], queued[balancer])
        var best = candidates[0]
        for server in candidates.dropFirst() where (keys[server], queued[server]) < (keys[best], queued[best]) {
            best = server
        }
        return best
    }

    override func begin(balancer: Int, server: Int, at now: Double) {
        super.begin(balancer: balancer, server: server, at: now)
        reposition(balancer, server)
    }

    override func end(balancer: Int, server: Int, took: Double, failed: Bool, at now: Double) {
        super.end(balancer: balancer, server: server, took: took, failed: failed, at: now)
        reposition(balancer, server)
    }

    override func hear(balancer: Int, _ announced: Announced) {
        guard agent else { return }
        shares[balancer][announced.server] = Int(announced.cores / announced.totalCores * 100)
        reposition(balancer, announced.server)
    }

    private func reposition(_ balancer: Int, _ server: Int) {
        let flying = inFlight[balancer][server]
        let weight = max(1, weights[server] * shares[balancer][server] / 100 * Self.scale.one)
        let key = flying == 0 ? 0 : (flying + 1) * Self.scale.most / weight
        guard key != keys[balancer][server] else { return }
        keys[balancer][server] = key
        turn += 1
        queued[balancer][server] = turn
    }
}

/// HAProxy's random(2): two numbers at random, each stands for the server that is nearest on the hash ring; of the two
/// the one with fewer in flight by weight, of equal ones the second. Both may be the same.
///
/// HAProxy 2.6, src/backend.c, get_server_rnd; src/lb_chash.c, chash_init_server_tree (16 points a unit of weight,
/// hashed from the server's number) and chash_get_server_hash. With few points, a server's share of the ring is not
/// just what its weight says.
final class RingRandom: ReferenceRule {
    private lazy var ring = Self.ring(weights)

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        let first = draw(candidates)
        let second = draw(candidates)
        let (left, right) = (inFlight[balancer][second] * weights[first], inFlight[balancer][first] * weights[second])
        return left > right ? first : second
    }

    private func draw(_ candidates: [Int]) -> Int {
        let number = UInt32(truncatingIfNeeded: random.next())
        var (low, high) = (0, ring.count)
        while low < high {
            let middle = (low + high) / 2
            if ring[middle].key < number { low = middle + 1 } else { high = middle }
        }
        let next = low % ring.count
        let previous = (next + ring.count - 1) % ring.count
        var place = number &- ring[previous].key <= ring[next].key &- number ? previous : next
        // Servers that are down or were tried have no points.
        while !candidates.contains(ring[place].server) { place = (place + 1) % ring.count }
        return ring[place].server
    }

    private static func ring(_ weights: [Int]) -> [(key: UInt32, server: Int)] {
        var points: [(key: UInt32, server: Int)] = []
        for (server, weight) in weights.enumerated() {
            for point in 0..<weight * 16 { points.append((hash(UInt32(server + 1) &* 4096 &+ UInt32(point)), server)) }
        }
        return points.sorted { $0.key < $1.key }
    }

    /// include/haproxy/intops.h, full_hash: one of Bob Jenkins's, times a constant.
    private static func hash(_ number: UInt32) -> UInt32 {
        var a = number
        a = (a &+ 0x7ed5_5d16) &+ (a << 12)
        a = (a ^ 0xc761_c23c) ^ (a >> 19)
        a = (a &+ 0x1656_67b1) &+ (a << 5)
        a = (a &+ 0xd3a2_646c) ^ (a << 9)
        a = (a &+ 0xfd70_46c5) &+ (a << 3)
        a = (a ^ 0xb55a_4f09) ^ (a >> 16)
        return a &* 3_221_225_473
    }
}
