// Licensed under the Apache License, Version 2.0; see LICENSE.

/// httpd's byrequests: whose debt is greatest, of equal ones the first.
///
/// httpd 2.4, modules/proxy/balancers/mod_lbmethod_byrequests.c, is_best_byrequests and find_best_byrequests.
final class ByRequests: ReferenceRule {
    private lazy var status = inFlight.map { $0.map { _ in 0 } }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        var total = 0
        var best = candidates[0]
        for server in candidates {
            status[balancer][server] += weights[server]
            total += weights[server]
            if status[balancer][server] > status[balancer][best] { best = server }
        }
        status[balancer][best] -= total
        return best
    }
}

/// httpd's bybusyness: fewest in flight, whatever the weights; those matter among equal ones, where it is byrequests
/// over all candidates.
///
/// httpd 2.4, modules/proxy/balancers/mod_lbmethod_bybusyness.c, is_best_bybusyness and find_best_bybusyness.
final class ByBusyness: ReferenceRule {
    private lazy var status = inFlight.map { $0.map { _ in 0 } }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        var total = 0
        var best = -1
        for server in candidates {
            status[balancer][server] += weights[server]
            total += weights[server]
            if best < 0 || isBetter(server, than: best, balancer) { best = server }
        }
        status[balancer][best] -= total
        return best
    }

    private func isBetter(_ server: Int, than best: Int, _ balancer: Int) -> Bool {
        let (left, right) = (inFlight[balancer][server], inFlight[balancer][best])
        return left < right || left == right && status[balancer][server] > status[balancer][best]
    }
}

/// httpd's heartbeat: at random in proportion to the idle workers that were announced last.
///
/// httpd 2.4, modules/proxy/balancers/mod_lbmethod_heartbeat.c, find_best_hb: of those whose range holds the number
/// drawn, the last. Here the numbers are at most a second old; through mod_heartmonitor's file they are five seconds
/// older.
final class Heartbeat: ReferenceRule {
    private lazy var ready = inFlight.map { $0.map { _ in 1 } }

    override func pick(_ candidates: [Int], balancer: Int, at now: Double) -> Int {
        let open = candidates.reduce(0) { $0 + ready[balancer][$1] }
        guard open > 0 else { return candidates[0] }
        let drawn = random.below(open)
        var first = 0
        var best = candidates[0]
        for server in candidates {
            let slots = ready[balancer][server]
            if drawn >= first, drawn <= first + slots { best = server }
            first += slots
        }
        return best
    }

    override func hear(balancer: Int, _ announced: Announced) {
        ready[balancer][announced.server] = announced.idleWorkers
    }
}
