// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
public import CBackhand

// Why does a server get nothing, or less than its share? One word beside its state, decided here and shown by the
// status page, its JSON, backhandctl and traces, and by all that shows farms. It goes by what decisions go by;
// docs/status.md explains each word.

/// What speaks against a server.
public enum Reason: Equatable, Sendable {
    case nothing
    case silent(seconds: UInt64)
    case drainedHere
    case drainedByFile
    case drainedThere
    case backoff(seconds: UInt64)
    case noConnection
    case clock
    case check
    case failing(percent: UInt64)
    case doubt
    case slowStart
}

/// A server as decisions see it, over all chains.
public struct Prospect: Equatable, Sendable {
    /// Whether it is this httpd.
    public var isOwn = false
    /// Milliseconds since it was heard, by the clock to which ages count.
    public var age = UInt64(0)
    /// The state that the server announces, a value of bh_state_t.
    public var announced = BH_STATE_UP.rawValue
    /// Whether the drain file of this httpd is there.
    public var hasDrainFile = false
    /// The state that was ordered here for the server, a value of bh_state_t.
    public var ordered = BH_STATE_UP.rawValue
    /// Milliseconds for which it is left out after a refusal.
    public var backoff = UInt64(0)
    /// Whether no connection has worked since it refused the last one, not long ago.
    public var isUnreached = false
    /// Whether its own checks speak against it.
    public var failsCheck = false
    /// Share of its requests that failed, per cent, if that speaks against it in one chain at least.
    public var failures = UInt64(0)
    /// Whether a chain asks it last.
    public var isDoubted = false
    /// Seconds that our clock is ahead of its; with a key only.
    public var clock = Int32(0)
    /// Milliseconds for which it has taken requests, and the longest of all servers; both up to the slow start.
    public var presence = UInt64(0)
    /// The longest presence of all servers, in milliseconds, up to the slow start.
    public var longest = UInt64(0)

    /// A server with which nothing is wrong.
    public init() {}

    /// The one that would have to go first for the server to get requests again: no chain, and no order, brings back
    /// what is silent; what is ordered counts whatever the children have seen; the rest from what is left out to what
    /// is only asked less.
    public var reason: Reason {
        if !isOwn, age > UInt64(BH_LIFE_SILENT_MS) { return .silent(seconds: age / 1000) }
        if isDrained(announced) { return isOwn ? ownDrain : .drainedThere }
        if isDrained(ordered) { return .drainedHere }
        if !isOwn {
            if backoff > 0 { return .backoff(seconds: (backoff + 999) / 1000) }
            if isUnreached { return .noConnection }
            if clock.magnitude > UInt32(BH_CLAIM_MOST_SECONDS) { return .clock }
        }
        if failsCheck { return .check }
        if failures > 0 { return .failing(percent: min(failures, 100)) }
        if isDoubted { return .doubt }
        return presence < longest ? .slowStart : .nothing
    }

    /// What drains this httpd. Maintenance is always ordered; where both the file and an order drain, the file is the
    /// one that is easily forgotten.
    private var ownDrain: Reason {
        hasDrainFile && announced == BH_STATE_DRAINING.rawValue ? .drainedByFile : .drainedHere
    }

    /// A server that leaves is not a case of it: its state says all.
    private func isDrained(_ state: UInt32) -> Bool {
        state == BH_STATE_DRAINING.rawValue || state == BH_STATE_MAINTENANCE.rawValue
    }
}

extension Prospect {
    /// - Parameter longest: bh_segment_presence.
    init(_ segment: UnsafePointer<bh_segment_t>, _ id: UInt32, _ facts: bh_facts_t, longest: UInt64, now: UInt64) {
        self.init()
        let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, id))
        let (heard, clock) = (bh_row_last_heard(row), bh_segment_age_clock(segment, now))
        isOwn = bh_row_own(row)
        // A member that never announces anything is not silent.
        age = heard == 0 ? 0 : elapsed(since: heard, clock)
        announced = bh_half_load(&row.pointee.state)
        hasDrainFile = isOwn && BackhandServerStats.hasDrainFile(segment)
        ordered = bh_half_load(&row.pointee.ordered)
        backoff = bh_backoff_left(bh_row_backoff(row), now)
        isUnreached = bh_row_is_unreached(row, now)
        self.clock = facts.clock_s
        failsCheck = facts.isFailing
        presence = bh_row_presence(row, now)
        self.longest = longest
        // What stands against this httpd itself stands in row 0.
        noteEvidence(isOwn ? UnsafeMutablePointer(mutating: bh_segment_row(segment, 0)) : row, facts)
    }

    private mutating func noteEvidence(_ row: UnsafeMutablePointer<bh_row_t>, _ facts: bh_facts_t) {
        isDoubted = bh_row_all_doubts(row) != 0
        var answers = UInt32(0)
        for slot in 0..<UInt32(BH_CHAINS) {
            for kind in 0..<BH_CLASS_FAILED.rawValue {
                answers |= bh_evidence_answers(bh_row_evidence(row, slot), kind)
            }
            let fails = bh_doubt_bit(BH_DOUBT_FAILS.rawValue, 0) | bh_doubt_bit(BH_DOUBT_FAILING.rawValue, 0)
            guard bh_row_doubts(row, slot) & fails != 0 else { continue }
            failures = max(failures, bh_mean_value(bh_word_load(bh_row_failing(row, slot))) / 10_000)
        }
        // Where no chain has had an answer yet, byHealth takes the server's own word.
        if answers == 0, facts.error_ppm >= 500_000 { failures = max(failures, UInt64(facts.error_ppm / 10_000)) }
    }
}

/// Why the server of a row that was heard gets nothing, or less than its share.
func reason(
    _ segment: UnsafePointer<bh_segment_t>, _ id: UInt32, _ facts: bh_facts_t, longest: UInt64, now: UInt64
) -> Reason {
    Prospect(segment, id, facts, longest: longest, now: now).reason
}

extension Reason {
    fileprivate var parts: (word: StaticString, number: UInt64?, unit: StaticString) {
        switch self {
        case .nothing: ("", nil, "")
        case .silent(let seconds): ("silent", seconds, " s")
        case .drainedHere: ("drained (here)", nil, "")
        case .drainedByFile: ("drained (file)", nil, "")
        case .drainedThere: ("drained (there)", nil, "")
        case .backoff(let seconds): ("back-off", seconds, " s")
        case .noConnection: ("no connection", nil, "")
        case .clock: ("clock", nil, "")
        case .check: ("check", nil, "")
        case .failing(let percent): ("failing", percent, " %")
        case .doubt: ("doubt", nil, "")
        case .slowStart: ("slow start", nil, "")
        }
    }
}

extension Message {
    /// Why the server of a row gets nothing, or less than its share; nothing if there is no server, or no reason.
    ///
    /// - Parameter longest: the longest presence of those that it shares requests with, in milliseconds.
    @inline(never)
    public mutating func add(
        reasonAgainst id: UInt32, _ segment: UnsafePointer<bh_segment_t>, longest: UInt64, now: UInt64
    ) {
        var facts = bh_facts_t()
        let row = bh_segment_row(segment, id)
        guard isUsed(row), bh_row_copy(row, &facts) else { return }
        add(reason(segment, id, facts, longest: longest, now: now), of: facts)
    }

    /// The reason as all show it; nothing if there is none.
    ///
    /// - Parameter facts: the server's, for what its check has found.
    mutating func add(_ reason: Reason, of facts: bh_facts_t) {
        let (word, number, unit) = reason.parts
        add(word)
        if reason == .check { addCheck(facts) }
        guard let number else { return }
        add(" ")
        add(number)
        add(unit)
    }

    /// " /health: status 503".
    private mutating func addCheck(_ facts: bh_facts_t) {
        add(" ")
        withUnsafePointer(to: facts) { add(Word(bh_facts_check_name($0)).bytes) }
        add(": ")
        add(finding: facts.check & 0xff, status: facts.check >> 16)
    }
}
