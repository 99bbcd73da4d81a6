// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand

// Servers that have just come get a growing share: of each request's candidates some are held back, that is, they stand
// after all others, whatever the chain's functions say. They are never dropped for it.
//
// A server's share is its time among us divided by the longest time of a candidate, where times count up to the slow
// start. So servers that have come together, as all seem to have after a balancer's own start, share as equals, and
// there is no moment at which shares jump.

extension Candidates {
    /// Whether the row's server may get requests now, as far as its state tells.
    func takesRequests(_ row: UnsafePointer<bh_row_t>) -> Bool {
        isLastResort || bh_row_state(row) == BH_STATE_UP.rawValue
    }

    /// The time until which a server must have come to get its whole share now.
    var newcomersSince: UInt64 { slowStart == 0 ? .max : now > slowStart ? now &- slowStart : 0 }

    /// If there are newcomers: puts those that are held back for this request after the others. The order is kept
    /// otherwise.
    mutating func holdBackNewcomers() {
        guard count > 1 else { return }
        let (list, count) = (list, count)
        var longest: UInt64 = 0
        for place in 0..<count { longest = max(longest, presence(list[place].row)) }
        putLast { isHeldBack($0.row, longest) }
    }

    /// Milliseconds for which the server has taken requests, at most slowStart.
    private func presence(_ id: UInt32) -> UInt64 {
        let came = bh_row_came(bh_segment_row(segment, id))
        return came < now ? min(now &- came, slowStart) : 0
    }

    /// With the probability 1 - share; the same answer for the same request.
    private func isHeldBack(_ id: UInt32, _ longest: UInt64) -> Bool {
        let time = presence(id)
        guard time < longest else { return false }
        var random = SplitMix64(seed: seed, stream: 1 << 32 | Int(truncatingIfNeeded: id))
        // Below 2^11, as its bound must be: thousandths and a half are fine enough for shares.
        return UInt64(truncatingIfNeeded: random.below(2048)) &* longest >= time &* 2048
    }
}
