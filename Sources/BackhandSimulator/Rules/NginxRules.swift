// Licensed under the Apache License, Version 2.0; see LICENSE.

/// The server that is next among those that a rule of nginx's holds for equal: smooth weighted round robin, over those
/// alone.
struct SmoothTurns {
    private var current: [[Int]]

    init(_ inFlight: [[Int]]) {
        current = inFlight.map { $0.map { _ in 0 } }
    }

    mutating func next(_ equal: [Int], _ weights: [Int], _ balancer: Int) -> Int {
        guard equal.count > 1 else { return equal[0] }
        var total = 0
        var best = equal[0]
        for server in equal {
            current[balancer][server] += weights[server]
            total += weights[server]
            if current[balancer][server] > current[balancer][best] { best = server }
        }
        current[balancer][best] -= total
        return best
    }
}

/// nginx's least_conn: fewest in flight by weight; equal ones by smooth weighted round robin.
///
/// nginx 1.22, src/http/modules/ngx_http_upstream_least_conn_module.c, ngx_http_upstream_get_least_conn_peer.
final class LeastConnections: ReferenceRule {
    private lazy var turns = SmoothTurns(inFlight)

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        let flying = inFlight[balancer]
        var best = candidates[0]
        for server in candidates where flying[server] * weights[best] < flying[best] * weights[server] { best = server }
        return turns.next(
            candidates.filter { flying[$0] * weights[best] == flying[best] * weights[$0] }, weights, balancer)
    }
}

/// nginx's random two least_conn: two different ones by weight, the one with fewer in flight by weight, of equal ones
/// the second.
///
/// nginx 1.22, src/http/modules/ngx_http_upstream_random_module.c, ngx_http_upstream_get_random2_peer. (It draws again
/// up to 20 times for a second one, then turns to round robin; that is left out.)
final class RandomTwo: ReferenceRule {
    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        guard candidates.count > 1 else { return candidates[0] }
        let first = drawByWeight(candidates)
        let second = drawByWeight(candidates.filter { $0 != first })
        let (left, right) = (inFlight[balancer][second] * weights[first], inFlight[balancer][first] * weights[second])
        return left > right ? first : second
    }
}

/// nginx's least_time: own mean of the time, in classes of 20 ms, times (in flight + 1).
///
/// nginx 1.31 (commercial before 1.31.2), src/http/modules/ngx_http_upstream_least_time_module.c,
/// ngx_http_upstream_get_least_time_peer and ngx_http_upstream_least_time_eta; ngx_http_upstream_round_robin.h,
/// ngx_http_upstream_response_time_avg: each sample weighs a twentieth, however old the last one is; failures count
/// nothing. With inflight, those under way count by their age.
final class LeastTime: ReferenceRule {
    private let ages: Bool
    private lazy var turns = SmoothTurns(inFlight)
    private lazy var peers = inFlight.map { $0.map { _ in Peer() } }

    private struct Peer {
        /// Milliseconds, as everything here.
        var time = 0
        var flightTime = 0
        /// Sum of the ages of those under way, when it changed last.
        var ages = 0
        var changed = 0
        /// Seconds.
        var checked = 0
    }

    init(_ cluster: Cluster, ages: Bool = false, seed: UInt64) {
        self.ages = ages
        super.init(cluster, banned: 10, probes: true, seed: seed)
    }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        let etas = candidates.map { eta(balancer, $0, now) }
        let least = etas.min() ?? 0
        let equal = candidates.indices.filter { etas[$0] == least }.map { candidates[$0] }
        let best = turns.next(equal, weights, balancer)
        if Int(now) - peers[balancer][best].checked > 10 { peers[balancer][best].checked = Int(now) }
        return best
    }

    private func eta(_ balancer: Int, _ server: Int, _ now: Double) -> Int {
        let flying = inFlight[balancer][server]
        if ages, flying > 0 {
            let peer = peers[balancer][server]
            Self.average(&peers[balancer][server].flightTime, peer.ages / flying + Int(now * 1000) - peer.changed)
        }
        let peer = peers[balancer][server]
        var time = peer.time
        let unseen = Int(now) - peer.checked
        // Once in the fail_timeout of 10 s slow ones get a chance.
        if unseen > 10 { time >>= unseen / 11 }
        if ages, flying > 0 { time = max(time, peer.flightTime) }
        time = time > 5000 ? 5000 : time + 20 - time % 20
        return time * (1 + flying)
    }

    override func begin(balancer: Int, server: Int, at now: Double) {
        let flying = inFlight[balancer][server]
        let milliseconds = Int(now * 1000)
        if flying > 0 { peers[balancer][server].ages += (milliseconds - peers[balancer][server].changed) * flying }
        peers[balancer][server].changed = milliseconds
        super.begin(balancer: balancer, server: server, at: now)
    }

    override func end(balancer: Int, server: Int, took: Double, failed: Bool, at now: Double) {
        let flying = inFlight[balancer][server]
        super.end(balancer: balancer, server: server, took: took, failed: failed, at: now)
        let milliseconds = Int(now * 1000)
        if flying == 1 {
            peers[balancer][server].ages = 0
        } else {
            peers[balancer][server].ages += (milliseconds - peers[balancer][server].changed) * flying - Int(took * 1000)
            peers[balancer][server].changed = milliseconds
        }
        if failed {
            peers[balancer][server].checked = Int(now)
        } else {
            Self.average(&peers[balancer][server].time, Int(took * 1000))
        }
    }

    private static func average(_ mean: inout Int, _ sample: Int) {
        mean = mean == 0 ? sample : Int(0.5 + Double(sample) * 0.05 + Double(mean) * 0.95)
    }
}
