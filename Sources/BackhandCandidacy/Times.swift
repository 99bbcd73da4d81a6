// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Places that are put in order by functions that forecast: more servers than a request ever asks, one after the other.
var bestPlaces: Int { 32 }

/// How long servers take for requests of the chain that runs, and how often they fail, as this httpd has seen it itself.
struct Times {
    private let slot: UInt32
    private let now: UInt64
    /// For servers that nobody here has tried: they are as good as the best that was, so that they are tried, and not with everything.
    private let best: Double

    /// - Parameter complete: whether a time should be known for every candidate; if not, 0 comes out for it.
    init(_ candidates: Candidates, complete: Bool = false) {
        now = candidates.now &* 1000
        slot = candidates.slot
        guard !complete else {
            best = 0
            return
        }
        var best = Double.infinity
        for place in 0..<candidates.count {
            let row = candidates.feedback(of: candidates.list[place])
            let word = bh_word_load(bh_row_latency(row, slot))
            if word != 0 { best = min(best, Self.seen(word, now)) }
        }
        self.best = best.isFinite ? best : 1
    }

    /// Of a row's feedback, in microseconds, at least about one; otherwise: what to believe without a sample, 0: nothing.
    func of(_ row: UnsafeMutablePointer<bh_row_t>, otherwise: UInt32 = 0) -> Double {
        let word = bh_word_load(bh_row_latency(row, slot))
        if word != 0 { return seen(word) }
        return otherwise > 0 ? Double(otherwise) : best
    }

    /// The share of requests that did not fail there, lately: 0.05 to 1. A server that fails all is tried again when that is long ago.
    func working(_ row: UnsafeMutablePointer<bh_row_t>) -> Double {
        let word = bh_word_load(&row.pointee.errors)
        guard word >> 36 != 0 else { return 1 }
        return max(0.05, 1 - Double(bh_mean_value(word)) / 1e6 * trust(word))
    }

    /// Whether the share that failed there is a half or more, by what is believed of it now, in whole numbers; nil: none failed.
    static func failsHalf(_ row: UnsafeMutablePointer<bh_row_t>, _ now: UInt64) -> Bool? {
        let word = bh_word_load(&row.pointee.errors)
        guard word >> 36 != 0 else { return nil }
        return 20 &* bh_mean_value(word) >= halfTrust &+ bh_mean_age_us(word, now)
    }

    private func seen(_ word: UInt64) -> Double { Self.seen(word, now) }
    private func trust(_ word: UInt64) -> Double { Self.trust(word, now) }

    private static func seen(_ word: UInt64, _ now: UInt64) -> Double {
        max(1, Double(bh_mean_value(word))) * trust(word, now)
    }

    /// What was seen long ago is believed less and less, after ten seconds half of it: a server that was slow once gets a request now and then,
    /// which tells what it is like today.
    private static func trust(_ word: UInt64, _ now: UInt64) -> Double {
        Double(halfTrust) / Double(halfTrust &+ bh_mean_age_us(word, now))
    }

    /// Microseconds.
    private static var halfTrust: UInt64 { 10_000_000 }
}
