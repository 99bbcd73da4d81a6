// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand
internal import CSystem

extension CandidacyFunction {
    /// Least forecast response time first, from what the servers announced and what this httpd has at each of them.
    ///
    /// If a candidate announces no means, nothing can be forecast that compares: then it is byLeastTime.
    static var byForecast: CandidacyFunction {
        CandidacyFunction("byForecast") { candidates, argument in
            guard candidates.count > 1, !candidates.sortByForecast() else { return }
            CandidacyFunction.byLeastTime.apply(&candidates, argument)
        }
    }
}

extension Candidates {
    /// Sorts; false if some server's capacity is not known.
    fileprivate mutating func sortByForecast() -> Bool {
        let (list, keys, count, own) = (list, keys, count, ownID)
        var forecast = Forecast(self)
        var random = SplitMix64(seed: seed, stream: step)
        var front = Front(keys, first: min(bestPlaces, count))
        // Servers without a time wait at the end, where the front has no words, until the best time of all is known.
        var untimed = count
        var asks = false
        let here = UnsafeMutablePointer(mutating: bh_segment_row(segment, 0))
        let asked = Times.placeToAsk(&self)
        let isWeighted = areWeighted
        for place in 0..<count {
            let slot = list[place]
            let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, slot.row))
            let isOwn = slot.id == own
            let feedback = isOwn ? here : row
            guard var growth = forecast.growth(row, feedback: feedback, isOwn: isOwn) else { return false }
            if isWeighted { growth /= weight(of: slot) }
            if place == asked || isProbe(slot) {
                asks = true
                front.offer(SortKey(0.0), place)
                continue
            }
            let nudged = growth * random.nudge()
            let time = forecast.time(row, feedback: feedback)
            if time > 0 {
                front.offer(SortKey(nudged * time), place)
            } else {
                untimed &-= 1
                keys[untimed] = SortKey(nudged).word(place)
            }
        }
        for index in untimed..<count {
            let word = keys[index]
            front.offer(SortKey(SortKey(of: word).double * forecast.timeOfUntried), word.place)
        }
        front.lead(list)
        if mayHaveSelf, !asks, list[firstSound].id != own, let here = place(of: own), !isHopPaid(&forecast) {
            bringForward(here)
        }
        return true
    }

    /// Whether the best of the others is better than this server by more than it costs to send the request there. If
    /// this server fails, or answers nothing, the request does not stay, whatever is known of its time.
    private func isHopPaid(_ forecast: inout Forecast) -> Bool {
        let here = UnsafeMutablePointer(mutating: bh_segment_row(segment, 0))
        if forecast.isFailing(here) || Times.isSilent(here, now) { return true }
        let own = UnsafeMutablePointer(mutating: bh_segment_row(segment, UInt32(ownID)))
        let there = UnsafeMutablePointer(mutating: bh_segment_row(segment, list[firstSound].row))
        return Hop(
            here: forecast.side(own, feedback: here, isOwn: true),
            there: forecast.side(there, feedback: there, isOwn: false),
            demand: Double(bh_half_load(&UnsafeMutablePointer(mutating: segment).pointee.demand)) / 1000
        ).pays
    }

    /// The first that will not be put after the others.
    private var firstSound: Int {
        guard hasDoubtful else { return 0 }
        for place in 0..<min(count, bestPlaces) where doubts(of: list[place]) == 0 { return place }
        return 0
    }
}

/// How long one more request would take at each server.
///
/// With o requests of ours at a server now, and ō on average over the last window; with Q requests of all balancers on
/// average, C its capacity for such requests (a row's effective_capacity), v the speed of its cores, L the time of our
/// last requests there and e the share that failed:
///
///     x = max(o, Q + κ^0.85 (o - ō))      there now; self: exactly o
///     F = max(1/v, (x + 1) / C)           by its capacity
///     G = L (x + 1) / (Q + 1)             by its time: L was seen when Q were there
///     T = sqrt(F G) / max(0.05, 1 - e)^2
///
/// κ is how many times more requests the servers got than we sent: when we send one more than usual, the other
/// balancers see the same, and send theirs. The form and its two exponents are what did best over all scenarios of
/// docs/balance.md; what they are made of comes from M. Dahlin, Interpreting stale load information, IEEE TPDS 11(10),
/// 2000, and G. Goren, S. Vargaftik, Y. Moses, Distributed dispatching in the parallel server model, DISC 2020: stale
/// queues are noise, and each dispatcher must count what the others do meanwhile.
struct Forecast {
    private var times: Times
    /// The shortest time that a server announced of those of which none was seen.
    private var told = Double.infinity
    /// κ^0.85: of forty balancers not all do the same at once.
    private let others: Double

    init(_ candidates: Candidates) {
        times = Times(candidates)
        others = candidates.othersFactor
    }

    /// T squared over L, but for a constant: in microseconds over arriba; requests are thousandths here, as they are
    /// announced. Finite, and above 0; nil if the server has not announced its capacity.
    func growth(_ row: UnsafeMutablePointer<bh_row_t>, feedback: UnsafeMutablePointer<bh_row_t>, isOwn: Bool) -> Double?
    {
        let capacity = Double(bh_half_load(&row.pointee.effective_capacity))
        let speed = Double(bh_signed_load(&row.pointee.facts.arriba))
        guard capacity > 0, speed > 0 else { return nil }
        let mean = Double(bh_half_load(&row.pointee.facts.mean_in_flight))
        let next = present(feedback, isOwn, mean: mean) + 1000
        let growth = larger(1_000_000 / speed, next / capacity) * next / (mean + 1000)
        let working = times.working(feedback)
        if working == 1 { return growth }
        return growth / (working * working * working * working)
    }

    /// L: what this httpd has seen there, else what the server announced; 0: neither is known.
    mutating func time(_ row: UnsafeMutablePointer<bh_row_t>, feedback: UnsafeMutablePointer<bh_row_t>) -> Double {
        let seen = times.seen(feedback)
        if seen > 0 { return seen }
        // It has answered, but not what tells of speed: what it announces may be the time of such answers too.
        if times.hasAnswered(feedback) { return 0 }
        let announced = Double(bh_half_load(&row.pointee.facts.latency_us))
        if announced > 0, announced < told { told = announced }
        return announced
    }

    /// One side of the choice between this server and the first of the others.
    mutating func side(
        _ row: UnsafeMutablePointer<bh_row_t>, feedback: UnsafeMutablePointer<bh_row_t>, isOwn: Bool
    ) -> ForecastSide {
        let mean = Double(bh_half_load(&row.pointee.facts.mean_in_flight))
        let seen = times.seen(feedback)
        return ForecastSide(
            seen: seen, told: isOwn ? seen : Double(bh_half_load(&row.pointee.facts.latency_us)), mean: mean / 1000,
            now: present(feedback, isOwn, mean: mean) / 1000,
            concurrency: Double(bh_half_load(&row.pointee.effective_capacity)) * 1000
                / Double(max(1, bh_signed_load(&row.pointee.facts.arriba))),
            capacity: Double(max(1, bh_half_load(&row.pointee.facts.capacity))),
            idle: Double(min(max(bh_signed_load(&row.pointee.facts.cpu), 0), 1000)) / 1000)
    }

    /// Whether some of the chain's requests failed there lately.
    func isFailing(_ feedback: UnsafeMutablePointer<bh_row_t>) -> Bool { times.working(feedback) < 1 }

    /// L of the others, once all have been asked for theirs: the best that was seen; if none was, the best that was
    /// announced.
    var timeOfUntried: Double { times.best.isFinite ? times.best : told.isFinite ? told : 1 }

    /// x: the requests that are there now, as far as one can tell; thousandths.
    private func present(_ row: UnsafeMutablePointer<bh_row_t>, _ isOwn: Bool, mean: Double) -> Double {
        let flying = Double(bh_half_load(&row.pointee.in_flight)) * 1000
        guard !isOwn else { return flying }
        let usual = Double(bh_half_load(&row.pointee.sent_mean))
        return larger(mean + others * (flying - usual), flying)
    }
}

extension Candidates {
    /// κ^0.85: how many times more than this httpd all balancers are likely to do of what it does now.
    var othersFactor: Double {
        let balancers = Double(bh_half_load(&UnsafeMutablePointer(mutating: segment).pointee.balancers)) / 1000
        return balancers > 1 ? csystem_pow(balancers, 0.85) : 1
    }
}

/// Of two numbers that are none of NaN: one instruction, where max takes six.
private func larger(_ one: Double, _ other: Double) -> Double { one > other ? one : other }
