// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand

/// Places that are put in order by functions that forecast: more servers than a request ever asks, one after the other.
var bestPlaces: Int { 32 }

/// How long servers take for requests of the chain that runs, and how often they fail, as this httpd has seen it
/// itself.
struct Times {
    private let slot: UInt32
    private let nowMicroseconds: UInt64
    /// The shortest time that was asked for so far; infinite: none is known.
    private(set) var best = Double.infinity

    init(_ candidates: Candidates) {
        nowMicroseconds = candidates.now &* 1000
        slot = candidates.slot
    }

    /// Of a row's feedback, in microseconds, at least about one; 0: this httpd has not tried the server.
    mutating func seen(_ row: UnsafeMutablePointer<bh_row_t>) -> Double {
        let word = bh_word_load(bh_row_latency(row, slot))
        guard word != 0 else { return 0 }
        let time = max(1, Double(bh_mean_value(word))) * trust(word)
        if time < best { best = time }
        return time
    }

    /// Whether the chain has had answers from the server; only asked where it has no time.
    func hasAnswered(_ row: UnsafeMutablePointer<bh_row_t>) -> Bool { bh_row_answers(row, slot) != 0 }

    /// For servers that this httpd has not tried: they are as good as the best of those that were asked for, so that
    /// they are tried, and not with everything.
    var ofUntried: Double { best.isFinite ? best : 1 }

    /// The place of the server that this request asks for its time, whatever was forecast; -1: none, as for seven of
    /// eight requests.
    ///
    /// While some answers tell nothing of speed, these are servers of which fewer than twenty are known, and then those
    /// whose answers have come to tell something. Without this the first server that answers with what always tells
    /// could keep all requests: where most answers are "304 Not Modified", that is a matter of chance.
    ///
    /// So are servers whose time is old. Without this a server with a slow first answer, as many applications give it
    /// while they load, would get the next request when the time has faded: after minutes.
    static func placeToAsk(_ candidates: inout Candidates) -> Int {
        // A stream of its own: what the function draws for its own ends stays the same.
        var random = SplitMix64(seed: candidates.seed, stream: 1 << 33 | candidates.step)
        let draw = random.unit()
        guard candidates.repeatable, draw <= asking else { return -1 }
        var unproven = -1
        var isUndecided = false
        // Of many servers a part, another one each time: a decision among 2048 must not cost more for it.
        let count = candidates.count
        let start = random.below(count)
        for index in 0..<min(count, bestPlaces) {
            let place = start &+ index < count ? start &+ index : start &+ index &- count
            let row = candidates.feedback(of: candidates.list[place])
            let isUntimed = bh_word_load(bh_row_latency(row, candidates.slot)) == 0
            // Nothing is left to find out about most.
            if draw > asking / 8, !isUntimed, bh_row_is_proven(row, candidates.slot) { continue }
            let answers = bh_row_answers(row, candidates.slot)
            guard answers != 0, !candidates.isProbe(candidates.list[place]), !isSilent(row, candidates.now) else {
                continue
            }
            let uncounted = bh_row_uncounted(row, candidates.slot)
            if uncounted < answers, isUntimed { return place }
            if isOld(row, answers, candidates, draw) { return place }
            if uncounted != 0 { isUndecided = true }
            if unproven < 0, answers < UInt32(BH_EVIDENCE_FEWEST) { unproven = place }
        }
        return isUndecided ? unproven : -1
    }

    private static var asking: Double { 1 / 8 }

    /// Answers after which a slow first one, of two seconds, is forgotten: one that comes after a second or later
    /// halves the mean.
    private static var few: UInt32 { 8 }

    /// Whether the server's time was seen too long ago for the requests that ask for times: a second, while fewer than
    /// eight of its answers are known; later, for one in eight of these requests, half a minute.
    ///
    /// Not where a request is there now, which will tell. Not where this server may serve the request: the times of
    /// others are old there because they were not worth the way. Nor of servers in doubt, which have a rule of their
    /// own.
    private static func isOld(
        _ row: UnsafeMutablePointer<bh_row_t>, _ answers: UInt32, _ candidates: Candidates, _ draw: Double
    ) -> Bool {
        let word = bh_word_load(bh_row_latency(row, candidates.slot))
        guard word != 0, bh_half_load(&row.pointee.in_flight) == 0, !candidates.mayHaveSelf,
            bh_row_doubts(row, candidates.slot) == 0
        else { return false }
        let age = bh_mean_age_us(word, candidates.now &* 1000)
        if answers < few { return age > 1_000_000 }
        return age > 30_000_000 && draw <= asking / 8
    }

    /// Whether requests wait there, and none has been answered for a second: one that hangs would be asked, and asked
    /// again.
    static func isSilent(_ row: UnsafeMutablePointer<bh_row_t>, _ now: UInt64) -> Bool {
        guard bh_half_load(&row.pointee.in_flight) != 0 else { return false }
        let last = bh_word_load(&row.pointee.first_byte)
        return last == 0 || bh_mean_age_us(last, now &* 1000) > 1_000_000
    }

    /// The share of the chain's requests that did not fail there, lately: 0.05 to 1.
    func working(_ row: UnsafeMutablePointer<bh_row_t>) -> Double {
        let word = bh_word_load(bh_row_failing(row, slot))
        guard word >> 36 != 0 else { return 1 }
        return max(0.05, 1 - Double(bh_mean_value(word)) / 1e6 * trust(word))
    }

    /// What was seen long ago counts less and less, after ten seconds half: a server that was slow once gets
    /// a request now and then, which tells what it is like today.
    private func trust(_ word: UInt64) -> Double {
        Double(Self.halfTrust) / Double(Self.halfTrust &+ bh_mean_age_us(word, nowMicroseconds))
    }

    /// Microseconds.
    private static var halfTrust: UInt64 { 10_000_000 }
}
