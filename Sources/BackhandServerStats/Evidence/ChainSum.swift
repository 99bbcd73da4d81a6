// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// All servers' answers to the requests of one chain, and the extremes of their shares.
struct ChainSum {
    private(set) var all = 0.0
    private var lately = 0.0
    /// The lowest shares of a server of which enough is known; nil: there is none.
    private(set) var leastWrong: Share?
    private(set) var leastFailing: Share?
    /// Servers of which enough is known, and all.
    private(set) var known = 0
    private(set) var heard = 0
    /// Whether servers of which nothing but wrong answers is known are asked last for a while.
    var isTrial = false
    private var ranges = (ShareRange(), ShareRange(), ShareRange())
    private let span: UInt64

    /// span: microseconds of the last window, which may have been a long one.
    init(span: UInt64) { self.span = span }

    @inline(never)
    mutating func add(_ one: ChainEvidence) {
        heard += 1
        guard one.total > 0 else { return }
        all += one.total
        lately += one.lately
        ranges.0.add(one.share(1))
        ranges.1.add(one.share(2))
        ranges.2.add(one.share(3))
        guard one.isKnown else { return }
        known += 1
        let (wrong, failing) = (Share(part: one.wrong, of: one.total), Share(part: one.failing, of: one.total))
        if leastWrong.map({ wrong.part < $0.part }) ?? true { leastWrong = wrong }
        if leastFailing.map({ failing.part < $0.part }) ?? true { leastFailing = failing }
    }

    /// Which classes tell of speed: those that all servers give in like share. One word for all servers: where the
    /// answers of some count and those of others do not, times cannot be compared.
    var counted: Counted { known < 2 ? Counted() : Counted(ranges.0.isLike, ranges.1.isLike, ranges.2.isLike) }

    /// Milliseconds between two requests that probe whether a server has the right answers again: then one in 250 gets
    /// a wrong one.
    var gap: UInt32 {
        let second = max(lately * 1e6 / Double(max(span, 1)), 1)
        return UInt32(min(max(250_000 / second, Double(BH_PROBE_MS)), Double(BH_PROBE_MOST_MS)))
    }
}

/// The shares of one class that a chain's servers have.
struct ShareRange {
    /// Of those of which enough is known.
    private var least: Share?
    private var most: Share?
    /// Of the others, those that say most. Few answers are not a share; but if they differ, what is quick elsewhere
    /// must not keep the requests away from which more would be learnt: two servers that answer 404 at once are alike,
    /// and a third one, which works, would never be asked again.
    private var leastGuess: Share?
    private var mostGuess: Share?

    @inline(never)
    mutating func add(_ share: Share) {
        if share.isKnown {
            if least.map({ share.part < $0.part }) ?? true { least = share }
            if most.map({ share.part > $0.part }) ?? true { most = share }
        } else {
            let doubt = 1 / share.count
            if leastGuess.map({ share.part + doubt < $0.part + 1 / $0.count }) ?? true { leastGuess = share }
            if mostGuess.map({ share.part - doubt > $0.part - 1 / $0.count }) ?? true { mostGuess = share }
        }
    }

    /// Whether all of them give it in like share.
    @inline(never)
    var isLike: Bool {
        guard let least, let most, most.isLike(least) else { return false }
        if let leastGuess, most.isApart(from: leastGuess) { return false }
        if let mostGuess, mostGuess.isApart(from: least) { return false }
        return true
    }
}

/// Whether 304, other 3xx and 4xx tell of speed; nil: as it was, because too little is known.
struct Counted {
    private var kinds: (Bool, Bool, Bool)?

    init() {}

    init(_ unchanged: Bool, _ elsewhere: Bool, _ wrong: Bool) { kinds = (unchanged, elsewhere, wrong) }

    @inline(never)
    func write(to row: UnsafeMutablePointer<bh_row_t>, _ slot: UInt32) {
        guard let kinds else { return }
        let before = bh_half_load(&row.pointee.counted)
        var counted = before
        for (kind, isTime) in [(UInt32(1), kinds.0), (2, kinds.1), (3, kinds.2)] {
            let bit = bh_counted_bit(slot, kind)
            counted = isTime ? counted | bit : counted & ~bit
        }
        if counted != before { bh_half_store(&row.pointee.counted, counted) }
    }
}

/// Where all servers of which enough is known give mostly wrong answers, and there are others: these ones are asked
/// last until something is known of the others. Without that a front that answers 404 at once, and so is always idle,
/// would get all requests, and there would be nothing to compare with.
struct Trial {
    static let second: UInt64 = 1_000_000
    /// The others get twenty answers meanwhile, unless the chain has two requests a second.
    private static let length = 10 * second
    /// The others may be none of this chain's.
    private static let pause = 600 * second
    /// Three of four: where one in two is wrong everywhere, no server is above it for long.
    static let most = 0.75

    private var begun: UInt64 = 0
    private var heard = 0

    /// Begins one where that is called for.
    @inline(never)
    mutating func lasts(_ chain: ChainSum, _ nowMicroseconds: UInt64) -> Bool {
        guard let least = chain.leastWrong, chain.known < chain.heard else { return false }
        guard least.part >= Self.most else { return false }
        if begun != 0, nowMicroseconds &- begun < Self.length { return true }
        guard begun == 0 || nowMicroseconds &- begun >= Self.pause || chain.heard > heard else { return false }
        begun = nowMicroseconds
        heard = chain.heard
        return true
    }
}
