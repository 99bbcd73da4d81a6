// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand
internal import CSystem

extension CandidacyFunction {
    /// Least forecast response time first, from what the servers announced and what this httpd has at each of them.
    ///
    /// If a candidate announces no means, nothing can be forecast that compares: then it is byLeastTime.
    static var byForecast: CandidacyFunction {
        CandidacyFunction("byForecast") { candidates, argument in
            guard candidates.count > 1 else { return }
            // The rows are looked at once; only if something is missing there, again.
            var gaps = candidates.sortByForecast(Forecast(candidates, complete: true))
            if gaps == .times { gaps = candidates.sortByForecast(Forecast(candidates, complete: false)) }
            if gaps == .capacities { CandidacyFunction.byLeastTime.apply(&candidates, argument) }
        }
    }
}

/// What was missing for a forecast.
private enum Gaps {
    case none, times, capacities
}

extension Candidates {
    /// Sorts; what comes out is in no certain order if capacities were missing.
    fileprivate mutating func sortByForecast(_ forecast: Forecast) -> Gaps {
        var random = SplitMix64(seed: seed, stream: step)
        var gaps = Gaps.none
        let own = ownID
        let here = UnsafeMutablePointer(mutating: bh_segment_row(segment, 0))
        sort(first: bestPlaces) { slot, segment in
            let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, slot.row))
            let isOwn = slot.id == own
            guard let squared = forecast.squared(row, feedback: isOwn ? here : row, isOwn: isOwn) else {
                gaps = .capacities
                return SortKey(0.0)
            }
            if squared == 0, gaps == .none { gaps = .times }
            return SortKey(squared * random.nudge())
        }
        return gaps
    }
}

/// How long one more request would take at each server.
///
/// With o requests of ours at a server now, and ō on average over the last window; with Q requests of anybody on average, C its
/// capacity for such requests (a row's room), v the speed of its cores, L the time of our last requests there and e the share that failed:
///
///     x = max(o, Q + κ^0.85 (o - ō))      there now; self: exactly o
///     F = max(1/v, (x + 1) / C)           by its capacity
///     G = L (x + 1) / (Q + 1)             by its time: L was seen when Q were there
///     T = sqrt(F G) / max(0.05, 1 - e)^2
///
/// κ is how many times more requests the servers got than we sent: when we send one more than usual, the other balancers, who see the same,
/// are sending theirs. The form and its two exponents are what did best over all scenarios of docs/balance.md; what they are made of comes from
/// M. Dahlin, Interpreting stale load information, IEEE TPDS 11(10), 2000, and G. Goren, S. Vargaftik, Y. Moses, Distributed dispatching
/// in the parallel server model, DISC 2020: stale queues are noise, and each dispatcher must count what the others do meanwhile.
struct Forecast {
    private let times: Times
    /// κ^0.85: of forty balancers not all do the same at once.
    private let others: Double

    init(_ candidates: Candidates, complete: Bool) {
        times = Times(candidates, complete: complete)
        let kappa = Double(bh_half_load(&UnsafeMutablePointer(mutating: candidates.segment).pointee.kappa)) / 1000
        others = kappa > 1 ? csystem_pow(kappa, 0.85) : 1
    }

    /// T squared, in microseconds over arriba times a constant; requests are thousandths here, as they are announced. Finite, and above 0 if a time is known; nil if the server has not announced its capacity.
    func squared(_ row: UnsafeMutablePointer<bh_row_t>, feedback: UnsafeMutablePointer<bh_row_t>, isOwn: Bool) -> Double? {
        let capacity = Double(bh_half_load(&row.pointee.room))
        let speed = Double(bh_signed_load(&row.pointee.facts.arriba))
        guard capacity > 0, speed > 0 else { return nil }
        let mean = Double(bh_half_load(&row.pointee.facts.mean_in_flight))
        let next = present(feedback, isOwn, mean: mean) + 1000
        let byCapacity = max(1_000_000 / speed, next / capacity)
        let byTime = times.of(feedback, otherwise: bh_half_load(&row.pointee.facts.latency_us)) * next / (mean + 1000)
        let working = times.working(feedback)
        if working == 1 { return byCapacity * byTime }
        return byCapacity * byTime / (working * working * working * working)
    }

    /// x: the requests that are there now, as far as one can tell; thousandths.
    private func present(_ row: UnsafeMutablePointer<bh_row_t>, _ isOwn: Bool, mean: Double) -> Double {
        let flying = Double(bh_half_load(&row.pointee.in_flight)) * 1000
        guard !isOwn else { return flying }
        let usual = Double(bh_half_load(&row.pointee.sent_mean))
        return max(flying, mean + others * (flying - usual))
    }
}
