// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

// A request that is sent on holds a worker here and another one there, as long as it takes. Nodes that both serve and
// balance can fill each other so: each one's workers wait for a worker of another. A request that is served here waits
// for none. So where this server is among the candidates, a request is sent only to servers that have a worker to
// spare, and hardly any while few are left here. What a chain without self says is not touched.

/// What is known of this server's workers when a request might be sent on.
struct WorkersHere: Equatable {
    /// Idle at this moment; how many should be; and how many were when it announced itself last.
    let idle: Int32
    let reserve: Int32
    let announced: Int32
    /// Since when each of its announcements has had too few; 0: the last one has not.
    let shortSince: UInt64

    var areFew: Bool { idle < reserve }
    /// What has come since the last announcement: as much may have come to the others since theirs.
    var more: Double { Double(max(0, announced &- idle)) }

    /// How many of the idle workers are counted: with more, a server that has this many to spare may take the request
    /// as well.
    static func enough(_ announced: Int32, _ reserve: Int32, spare: Double) -> UInt32 {
        guard spare <= Double(announced) else { return UInt32(reserve) }
        // If it has none to spare, the next candidate may have any number.
        return UInt32(max(reserve, min(announced, Int32(Double(announced) - max(0, spare)) &+ 1)))
    }
}

/// What is known of another server's workers.
struct WorkersThere: Equatable {
    /// Idle by the last two announcements.
    let idle: Int32
    /// As announced; 0: it announces none.
    let workers: Int32
    let heard: UInt64
    /// Requests that all balancers together are likely to have there now, above the mean of the last second.
    let more: Double

    /// Idle ones that it need not keep, before the request has taken one.
    var spare: Double { workers > 0 ? Double(idle) - more - reserve : .infinity }

    /// What may come there within a second: two standard deviations (of a Poisson number) of what is busy, 1 to 4. With
    /// few workers the last announcement says little of the next moment.
    private var reserve: Double {
        let busy = Double(workers) - Double(idle)
        return min(max(2 * max(busy, 0).squareRoot(), 1), 4)
    }

    /// Whether a request may be sent there rather than served here.
    ///
    /// With few left here, only when that has lasted, so that the other server's announcement is of the same time: when
    /// requests begin to come to all nodes at once, the last announcements say that all are idle.
    func may(take here: WorkersHere) -> Bool {
        guard spare > here.more else { return false }
        return !here.areFew || (workers > 0 && here.shortSince != 0 && heard > here.shortSince)
    }
}

extension Candidates {
    /// Puts the first candidate in front that is this server or may take the request. This server may have been dropped
    /// because others seemed better.
    mutating func keepFromWaiting(_ idleWorkers: (UInt32) -> UInt32) {
        guard count > 0, list[0].id != ownID, isSent(list[0]) else { return }
        let there = workersThere(list[0])
        let here = workersHere(idleWorkers, spare: there.spare)
        guard !there.may(take: here), let own = placeOfSelf() else { return }
        // It may stand first now: those before it were to be asked last.
        var place = min(1, own)
        while place < own, isSent(list[place]), !workersThere(list[place]).may(take: here) { place &+= 1 }
        bringForward(place)
    }

    /// Where less than half of the workers is idle, and more requests come than to the others, puts the server in front
    /// that has the fewest requests for its workers: a request that is sent there holds no worker of this server.
    /// Returns false if there is none.
    ///
    /// - Parameter isScarce: less than half of those of the process that has the request is idle.
    mutating func relieve(_ idleWorkers: (UInt32) -> UInt32, isScarce: Bool) -> Bool {
        let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, 0))
        let workers = bh_signed_load(&row.pointee.facts.workers)
        guard count > 1, workers > 1, bh_signed_load(&row.pointee.facts.idle_workers) < workers / 4 * 3,
            isAskedMore(arrivals(row))
        else { return false }
        let idle = Int32(truncatingIfNeeded: min(idleWorkers(UInt32(workers / 2)), 1 << 24))
        guard isScarce || idle < workers / 2 else { return false }
        var (best, least) = (-1, Double(workers &- idle) / Double(workers))
        for place in 0..<min(count, bestPlaces) where list[place].id != ownID && isSent(list[place]) {
            if hasDoubtful, doubts(of: list[place]) & doubtsThatCount != 0 { continue }
            guard let busy = busyShare(list[place]), busy < least else { continue }
            (best, least) = (place, busy)
        }
        guard best >= 0 else { return false }
        bringForward(best)
        return true
    }

    /// Whether more requests come here than to the candidates on average, and not only by chance: nodes that are asked
    /// evenly would send their peaks to each other.
    private func isAskedMore(_ own: Double) -> Bool {
        var sum = own
        var counted = 1.0
        for place in 0..<min(count, bestPlaces) where list[place].id != ownID {
            sum += arrivals(UnsafeMutablePointer(mutating: bh_segment_row(segment, list[place].row)))
            counted += 1
        }
        let mean = sum / counted
        return own > 1.2 * mean + mean.squareRoot()
    }

    /// Requests in the last second.
    private func arrivals(_ row: UnsafeMutablePointer<bh_row_t>) -> Double {
        Double(bh_half_load(&row.pointee.facts.arrival_rate)) / 1000
    }

    /// Requests for each worker that are likely to be there now; nil: the server announces no workers.
    private func busyShare(_ slot: ServerSlot) -> Double? {
        let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, slot.row))
        let workers = bh_signed_load(&row.pointee.facts.workers)
        guard workers > 0 else { return nil }
        let mean = Double(bh_half_load(&row.pointee.facts.mean_in_flight)) / 1000
        let more = sentAboveMean(row)
        return max(Double(bh_half_load(&row.pointee.in_flight)), mean + (more > 0 ? othersFactor * more : more))
            / Double(workers)
    }

    /// A client that is redirected needs no worker here any more.
    private func isSent(_ slot: ServerSlot) -> Bool { slot.mode == CChar(BACKHAND_MODE_PROXY) }

    /// Where this server stands; nil: something speaks against it. If it was dropped it comes back at the end, but
    /// ahead of those that are to be asked last.
    private mutating func placeOfSelf() -> Int? {
        let own = ServerSlot(id: ownID, mode: CChar(BACKHAND_MODE_PROXY), hostheader: nil)
        if hasDoubtful, doubts(of: own) & doubtsThatCount != 0 { return nil }
        if let place = place(of: ownID) { return place }
        append(ownID)
        arrange()
        return place(of: ownID)
    }

    private func workersHere(_ idleWorkers: (UInt32) -> UInt32, spare: Double) -> WorkersHere {
        let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, 0))
        let reserve = bh_workers_reserve(bh_signed_load(&row.pointee.facts.workers))
        let announced = min(max(0, bh_signed_load(&row.pointee.facts.idle_workers)), 1 << 24)
        let enough = WorkersHere.enough(announced, reserve, spare: spare)
        // If there are enough, what has come since is not exactly known, and little enough.
        return WorkersHere(
            idle: Int32(truncatingIfNeeded: min(idleWorkers(enough), enough)), reserve: reserve, announced: announced,
            shortSince: bh_segment_short(segment, 0))
    }

    private func workersThere(_ slot: ServerSlot) -> WorkersThere {
        let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, slot.row))
        let more = sentAboveMean(row)
        return WorkersThere(
            idle: Int32(truncatingIfNeeded: min(bh_segment_spare(segment, slot.row), 1 << 24)),
            workers: bh_signed_load(&row.pointee.facts.workers),
            heard: bh_row_heard(row), more: more > 0 ? othersFactor * more : 0)
    }

    /// Requests that this server has there now, above the mean of the last second.
    private func sentAboveMean(_ row: UnsafeMutablePointer<bh_row_t>) -> Double {
        Double(bh_half_load(&row.pointee.in_flight)) - Double(bh_half_load(&row.pointee.sent_mean)) / 1000
    }
}
