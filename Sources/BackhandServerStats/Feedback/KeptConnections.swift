// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// How many connections to a server all children of this httpd together may keep.
///
/// An idle connection of a server of event costs no worker, but each of its children stops accepting connections when
/// it has as many idle ones as three times its idle workers (`AsyncRequestWorkerFactor` 2, and one). So there are as
/// many as it has workers and half as many more as are idle: with those that are at work among them it goes on
/// accepting until three quarters of its idle workers have got a request. Where an idle connection holds a worker, it
/// may hold a quarter of those that are not at work: idle ones, and those that hold a connection already. That is
/// shared with the other balancers: `balancers` of the segment says how many thousand requests they all send for each
/// thousand of ours. A balancer that sends a tenth may keep a tenth. Until that is known (0), every server but the one
/// to which the connections go counts as a balancer that sends as many, this httpd among them.
/// All of them together leave three quarters to requests on new connections, which can come at any time. Of a server
/// that says nothing of this, each child may keep one (`BH_KEEP_ONE`), while a quarter of its workers is idle: those
/// that wait on kept connections are busy ones in what such a server announces, so that fewer may mean that connections
/// hold them.
func keepable(_ facts: bh_facts_t, balancers: UInt32, others: UInt32) -> UInt32 {
    let idle = Double(max(facts.idle_workers, 0)), workers = Double(max(facts.workers, 0))
    let share = max(1, balancers > 0 ? Double(balancers) / 1000 : min(Double(others), mostBalancers))
    switch facts.idle_cost {
    case BH_IDLE_FREE.rawValue:
        guard facts.keepalive_ms > keepMargin else { return 0 }
        return workers > 0 ? UInt32(min((workers + min(idle, workers) / 2) / share, Double(UInt16.max))) : keepAll
    case BH_IDLE_CLOSED.rawValue: return 0
    case BH_IDLE_WORKER.rawValue:
        guard facts.keepalive_ms > keepMargin else { return 0 }
        let free = idle + Double(max(facts.kept_workers, 0))
        return UInt32(min(free / 4 / share, Double(UInt16.max)))
    default: return idle * 4 >= workers ? keepOne : 0
    }
}

/// More balancers than that are not told from many clients without any.
let mostBalancers = 64.0

/// No connection is used in the last second before the server closes it: the request might meet its end on the way,
/// milliseconds.
let keepMargin = UInt32(1000)

/// `BH_KEEP_ALL` and `BH_KEEP_ONE`, which Swift does not see.
private let keepAll = UInt32.max
private let keepOne = UInt32.max - 1

/// How many connections to a server the pool of all children may have.
///
/// One and a half for each request, and eight: a crowd that comes at once finds as many, and a server that gets one
/// request now and then has no more than eight for it, however many children this httpd has. Requests come and go: so
/// many may be kept, in use or waiting, where few requests are there at a moment; where many are, half as many as usual
/// and eight may wait. Never more than may be kept at all.
///
/// - Parameters:
///   - may: what `keepable` says.
///   - inFlight: requests that the server had at once in the last window, the mean in thousandths.
func shareable(_ may: UInt32, inFlight: UInt32) -> (waiting: UInt32, kept: UInt32) {
    (min(may, 8 + inFlight / 2000), min(may, 8 + UInt32(UInt64(inFlight) * 3 / 2000)))
}
