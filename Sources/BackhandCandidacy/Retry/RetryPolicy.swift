// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// Which server is asked next for one request, and when it is too late: looks at the table, and returns an action.
///
/// The caller acts, and reports each failure. The state is the caller's; nothing is allocated.
public struct RetryPolicy {
    /// How often the chain may be run for one request. A chain may leave one server only (byLogWindow does so), and
    /// after a power cut several that byAge still keeps may be dead: eight get past a rack of them, and keep no client
    /// for long.
    static let mostRounds: UInt32 = 8
    /// Claims of a server in doubt that may fail in one run: each of them means that another request has just claimed
    /// one.
    static let mostFailedClaims: UInt32 = 32

    let retry: UnsafeMutablePointer<bh_retry_t>
    let segment: UnsafeMutablePointer<bh_segment_t>
    /// CLOCK_MONOTONIC, microseconds; 0 where bh_retry_needs_time() is false.
    let nowMicroseconds: UInt64

    /// The policy at this time, with the request's state so far.
    public init(
        _ retry: UnsafeMutablePointer<bh_retry_t>, _ segment: UnsafeMutablePointer<bh_segment_t>,
        nowMicroseconds: UInt64
    ) {
        self.retry = retry
        self.segment = segment
        self.nowMicroseconds = nowMicroseconds
    }

    /// What comes next, by the chain's last decision: a candidate, another run of the chain, or the end.
    public func next(_ decision: UnsafePointer<bh_decision_t>) -> bh_retry_action_t {
        while true {
            switch retry.pointee.stage {
            case BH_STAGE_DECIDED:
                if decision.pointee.count == 0, retry.pointee.rounds > 0 {
                    guard grantSecondChances() else {
                        retry.pointee.stage = BH_STAGE_OVER
                        continue
                    }
                    retry.pointee.stage = BH_STAGE_AGAIN
                    return BH_RETRY_DECIDE
                }
                retry.pointee.stage = BH_STAGE_CLAIM
            case BH_STAGE_AGAIN:
                retry.pointee.stage = decision.pointee.count > 0 ? BH_STAGE_CLAIM : BH_STAGE_OVER
            case BH_STAGE_CLAIM:
                guard mayBegin(decision) else { return BH_RETRY_DECIDE }
                begin(decision)
            case BH_STAGE_ASK:
                if findCandidate(decision) { return handOver(BH_RETRY_ASK, decision) }
                retry.pointee.stage = BH_STAGE_ASKED
                if !retry.pointee.outdated, isUntried { return handOver(BH_RETRY_NO_CANDIDATE, decision) }
            case BH_STAGE_ASKED:
                retry.pointee.rounds &+= 1
                guard retry.pointee.rounds < Self.mostRounds, !isLate else {
                    retry.pointee.stage = BH_STAGE_OVER
                    continue
                }
                retry.pointee.stage = BH_STAGE_DECIDED
                return BH_RETRY_DECIDE
            case BH_STAGE_OVER:
                retry.pointee.stage = BH_STAGE_DONE
                // Those that the first run left take no requests now, and there are no others.
                if isUntried { return handOver(BH_RETRY_NO_CANDIDATE, decision) }
            default:
                return BH_RETRY_GIVE_UP
            }
        }
    }

    /// Whether no server has had a chance.
    private var isUntried: Bool { retry.pointee.tried_count == 0 && retry.pointee.chances == 0 }

    /// Whether it is too late to ask another server.
    var isLate: Bool {
        retry.pointee.begun_us != 0 && nowMicroseconds &- retry.pointee.begun_us >= retry.pointee.rules.most_us
    }

    /// Whether another server may have the request if the next one fails it.
    private var mayRetry: Bool {
        retry.pointee.rules.repeatable && retry.pointee.failures < retry.pointee.rules.retries && !isLate
    }

    /// Says how the next server is asked.
    func prepareAttempt() {
        retry.pointee.attempt.may_retry = mayRetry
        retry.pointee.attempt.new_connection = retry.pointee.closed_reused || retry.pointee.chances > 0
        retry.pointee.attempt.in_time = retry.pointee.tried_count == 0 || !isLate
    }

    /// Returns the action that hands the request to a server, after it has said how.
    private func handOver(_ action: bh_retry_action_t, _ decision: UnsafePointer<bh_decision_t>) -> bh_retry_action_t {
        prepareAttempt()
        retry.pointee.attempt.free = decision.pointee.choices >= retry.pointee.attempt.place &+ 2
        if retry.pointee.attempt.may_retry { noteOthers(decision) }
        return action
    }

    /// Remembers which candidates come next: the decision is of no more use when the answer is waited for.
    private func noteOthers(_ decision: UnsafePointer<bh_decision_t>) {
        guard let servers = decision.pointee.servers else { return }
        var count: UInt32 = 0
        while count < BH_OTHERS, retry.pointee.next &+ count < decision.pointee.count {
            let server = servers[Int(retry.pointee.next &+ count)]
            bh_next_attempt_note(&retry.pointee.attempt, count, server.row)
            count &+= 1
        }
        retry.pointee.attempt.other_count = count
    }
}

// The candidates of one run of the chain.
extension RetryPolicy {
    /// Whether the request may ask a first candidate that is in doubt, to see whether it works again. Of requests that
    /// come at the same time, one does that, and for the others the chain runs again, now without that server. Other
    /// servers may be in the same state.
    private func mayBegin(_ decision: UnsafePointer<bh_decision_t>) -> Bool {
        guard decision.pointee.probe, retry.pointee.failed_claims < Self.mostFailedClaims,
            let servers = decision.pointee.servers
        else { return true }
        let id = servers[0].row
        // What stands against this server itself stands in row 0.
        let row = bh_segment_row_mutable(segment, bh_row_own(bh_segment_row(segment, id)) ? 0 : id)
        let rules = retry.pointee.rules
        if bh_probe_claim(row, bh_chain_slot(rules.chain), nowMicroseconds / 1000, rules.repeatable) { return true }
        retry.pointee.failed_claims &+= 1
        return false
    }

    private func begin(_ decision: UnsafePointer<bh_decision_t>) {
        retry.pointee.failed_claims = 0
        retry.pointee.next = 0
        retry.pointee.outdated = decision.pointee.probe
        retry.pointee.stage = BH_STAGE_ASK
    }

    /// Finds the next candidate that takes requests. It is only the first if that is in doubt: the second may be
    /// another such server, and each probe is claimed.
    private func findCandidate(_ decision: UnsafePointer<bh_decision_t>) -> Bool {
        guard let servers = decision.pointee.servers else { return false }
        let count = decision.pointee.probe ? 1 : decision.pointee.count
        while retry.pointee.next < count {
            let place = retry.pointee.next
            retry.pointee.next &+= 1
            let row = bh_segment_row(segment, servers[Int(place)].row)
            // The table says meanwhile that the candidate takes no more requests, or is another server.
            // A session's server may be draining.
            let mayDrain = decision.pointee.last_resort || decision.pointee.choices < 2
            guard bh_row_holds(row, decision.pointee.decided_ms, mayDrain) else {
                retry.pointee.outdated = true
                continue
            }
            retry.pointee.attempt.place = place
            if !isHopeless(row, decision) { return true }
        }
        return false
    }

    /// Whether another request has found the candidate silent since the decision: to find that out again takes seconds.
    private func isHopeless(_ row: UnsafePointer<bh_row_t>, _ decision: UnsafePointer<bh_decision_t>) -> Bool {
        // No chain leaves this server out. If it is asked over the network like the others, it waits its turn like
        // them.
        let isSince =
            bh_row_own(row)
            ? retry.pointee.rules.asks_self && decision.pointee.count > 1
            : retry.pointee.tried_count > 0 && !decision.pointee.last_resort
        return isSince && bh_row_is_refusing(row, nowMicroseconds / 1000)
    }
}
