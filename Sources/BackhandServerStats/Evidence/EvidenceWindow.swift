// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// What the answers of the last seconds say of each server, chain by chain: closed by the moderator once a second.
///
/// Without a moderator nothing new comes of it: doubts stay until good answers end them, and failures of everything are
/// still seen by the children.
struct EvidenceWindow {
    private var rows: [[ChainEvidence]] = []
    private var turned: UInt64 = 0
    private var closed: UInt64 = 0
    private var trials = Array(repeating: Trial(), count: Int(BH_CHAINS))

    /// Halves of the sets are taken in turn: clients and URLs of the last 5 to 10 s count. Shorter ones miss users who
    /// click now and then.
    private static let turn: UInt64 = 5_000_000

    /// used: how many rows there are, by the moderator's own memory.
    mutating func close(_ segment: UnsafeMutablePointer<bh_segment_t>, rows used: UInt32, nowMicroseconds: UInt64) {
        let count = Int(used)
        let isFirst = closed == 0
        let span = !isFirst && nowMicroseconds > closed ? nowMicroseconds &- closed : Trial.second
        // What came while the moderator did not look took longer than a second: as one window it would outweigh a
        // minute of others.
        let isGap = nowMicroseconds &- closed > UInt64(BH_BEAT_LATE_MS) * 1000
        closed = nowMicroseconds
        // A new moderator empties no half that its predecessor has just begun.
        let turns = !isFirst && nowMicroseconds &- turned >= Self.turn
        if turns || isFirst { turned = nowMicroseconds }
        for id in 0..<count {
            if id == rows.count { rows.append(Array(repeating: ChainEvidence(isNew: !isFirst), count: Int(BH_CHAINS))) }
            let row = bh_segment_row_mutable(segment, UInt32(id))
            for slot in 0..<Int(BH_CHAINS) { rows[id][slot].take(row, UInt32(slot), isGap: isGap) }
        }
        for slot in 0..<Int(BH_CHAINS) { evaluate(segment, slot, count, nowMicroseconds, span) }
        guard turns else { return }
        for id in 0..<count { bh_evidence_turn(bh_segment_row_mutable(segment, UInt32(id))) }
    }

    /// The row gets another server: what the last one answered says nothing of it.
    mutating func forget(_ id: UInt32) {
        guard Int(id) < rows.count else { return }
        rows[Int(id)] = Array(repeating: ChainEvidence(isNew: true), count: Int(BH_CHAINS))
    }

    private mutating func evaluate(
        _ segment: UnsafeMutablePointer<bh_segment_t>, _ slot: Int, _ count: Int, _ nowMicroseconds: UInt64,
        _ span: UInt64
    ) {
        var chain = ChainSum(span: span)
        for id in 0..<count where bh_row_heard(bh_segment_row(segment, UInt32(id))) != 0 { chain.add(rows[id][slot]) }
        guard chain.all > 0 else { return }
        chain.isTrial = trials[slot].lasts(chain, nowMicroseconds)
        let counted = chain.counted
        for id in 0..<count {
            let row = bh_segment_row_mutable(segment, UInt32(id))
            counted.write(to: row, UInt32(slot))
            if rows[id][slot].total > 0 { rows[id][slot].evaluate(row, UInt32(slot), chain, nowMicroseconds) }
        }
    }
}

/// One server's answers to the requests of one chain; what is older than about ten windows is forgotten.
struct ChainEvidence {
    /// By bh_class_t; of all windows, and of the last.
    private(set) var counts = (0.0, 0.0, 0.0, 0.0, 0.0)
    private(set) var last = (0.0, 0.0, 0.0, 0.0, 0.0)
    /// Whether it was in doubt when the last window closed.
    private var wasInDoubt = false
    /// The row's counts when the last window closed; nil before the first one: what a predecessor's time brought
    /// belongs to none.
    private var seen: (UInt32, UInt32, UInt32, UInt32, UInt32)?

    private static let keep = 0.9

    /// isNew: whether the row has come, or was emptied, under this moderator: its counts began at 0, and the first
    /// window has them all.
    init(isNew: Bool) {
        if isNew { seen = (0, 0, 0, 0, 0) }
    }

    var total: Double { counts.0 + counts.1 + counts.2 + counts.3 + counts.4 }
    var lately: Double { last.0 + last.1 + last.2 + last.3 + last.4 }
    var isKnown: Bool { total >= Share.fewest }
    var wrong: Double { counts.3 / total }
    var failing: Double { counts.4 / total }

    /// The share of a class.
    func share(_ kind: Int) -> Share {
        let count = kind == 1 ? counts.1 : kind == 2 ? counts.2 : counts.3
        return Share(part: count / total, of: total)
    }

    /// isGap: whether the window is longer than any, so that what came in it is left out.
    mutating func take(_ row: UnsafeMutablePointer<bh_row_t>, _ slot: UInt32, isGap: Bool) {
        let evidence = bh_row_evidence(row, slot)
        let isInDoubt = bh_row_doubts(row, slot) != 0
        let now = (
            bh_evidence_answers(evidence, 0), bh_evidence_answers(evidence, 1), bh_evidence_answers(evidence, 2),
            bh_evidence_answers(evidence, 3),
            bh_evidence_answers(evidence, 4)
        )
        let before = isGap ? now : seen ?? now
        last = (
            Double(now.0 &- before.0), Double(now.1 &- before.1), Double(now.2 &- before.2), Double(now.3 &- before.3),
            Double(now.4 &- before.4)
        )
        // No second brings this many: something has written over the counts.
        if lately > 1e8 {
            counts = (0, 0, 0, 0, 0)
            last = counts
        }
        seen = now
        if wasInDoubt, !isInDoubt {
            // Good answers have ended that: what spoke against it is over.
            counts = (0, 0, 0, 0, 0)
            last.3 = 0
            last.4 = 0
        }
        wasInDoubt = isInDoubt
        // A share stays what it was while nothing comes.
        guard lately > 0 else { return }
        let keep = Self.keep
        counts = (
            counts.0 * keep + last.0, counts.1 * keep + last.1, counts.2 * keep + last.2, counts.3 * keep + last.3,
            counts.4 * keep + last.4
        )
    }

    /// Writes what follows for the row's server.
    mutating func evaluate(
        _ row: UnsafeMutablePointer<bh_row_t>, _ slot: UInt32, _ chain: ChainSum, _ nowMicroseconds: UInt64
    ) {
        let evidence = bh_row_evidence(row, slot)
        let all = Breadth(clients: bh_evidence_clients(evidence), urls: bh_evidence_urls(evidence))
        let failed = Breadth(clients: bh_evidence_failed_clients(evidence), urls: bh_evidence_failed_urls(evidence))
        let mistaken = Breadth(clients: bh_evidence_wrong_clients(evidence), urls: bh_evidence_wrong_urls(evidence))
        bh_half_store(&evidence.pointee.gap_ms, chain.gap)
        evaluateFailing(row, slot, min(failing, failed.most(of: all)), chain, nowMicroseconds)
        evaluateWrong(row, slot, min(wrong, mistaken.most(of: all)), chain, nowMicroseconds)
    }

    private func evaluateFailing(
        _ row: UnsafeMutablePointer<bh_row_t>, _ slot: UInt32, _ part: Double, _ chain: ChainSum,
        _ nowMicroseconds: UInt64
    ) {
        let word = bh_row_failing(row, slot)
        if lately > 0 {
            if part > 0 {
                bh_word_store(word, bh_mean_word(UInt64(part * 1e6), nowMicroseconds))
            } else if bh_word_load(word) != 0 {
                bh_word_store(word, 0)
            }
        }
        guard let least = chain.leastFailing, part >= 0.5, last.4 > 0, last.4 >= 0.5 * lately else { return }
        guard Share(part: part, of: total).isMarkedlyMore(than: least) else { return }
        _ = bh_doubt_begin(row, slot, BH_DOUBT_FAILING.rawValue, nowMicroseconds / 1000 &+ UInt64(BH_PROBE_MS))
    }

    private mutating func evaluateWrong(
        _ row: UnsafeMutablePointer<bh_row_t>, _ slot: UInt32, _ part: Double, _ chain: ChainSum,
        _ nowMicroseconds: UInt64
    ) {
        guard let least = chain.leastWrong else { return }
        let bit = bh_doubt_bit(BH_DOUBT_WRONG.rawValue, 0)
        let isMost = last.3 > 0 && last.3 >= Trial.most * lately && part >= Trial.most && isKnown
        if bh_row_doubts(row, slot) & bit != 0 {
            // The others have come to give as many.
            guard !chain.isTrial, wrong - least.part < Share.difference / 2 else { return }
            bh_doubt_end(row, bit << slot)
            wasInDoubt = false
        } else if chain.isTrial, isMost {
            _ = bh_doubt_begin(row, slot, BH_DOUBT_WRONG.rawValue, nowMicroseconds / 1000 &+ UInt64(chain.gap))
        } else if last.3 > 0, last.3 >= (least.part + Share.difference) * lately,
            Share(part: part, of: total).isMarkedlyMore(than: least)
        {
            _ = bh_doubt_begin(row, slot, BH_DOUBT_WRONG.rawValue, nowMicroseconds / 1000 &+ UInt64(chain.gap))
        }
    }
}
