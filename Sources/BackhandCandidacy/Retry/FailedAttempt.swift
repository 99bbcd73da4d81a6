// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// What an attempt that did not work means for its request.

extension RetryPolicy {
    /// Milliseconds in which a server that can be reached has announced itself.
    static let announced: UInt64 = 1000

    /// What comes after the failure. Remembers the server for the next run of the chain.
    public func failed(_ failure: bh_failure_t) -> bh_retry_action_t {
        switch failure.outcome {
        case BH_OUTCOME_STARVED: return starved(failure)
        case BH_OUTCOME_REFUSED: note(failure, marks: BH_TRIED_UNREACHED.rawValue)
        case BH_OUTCOME_UNKNOWN:
            retry.pointee.unknown &+= 1
            note(failure, marks: BH_TRIED_UNKNOWN.rawValue)
        case BH_OUTCOME_FAILED: noteFailed(failure)
        case BH_OUTCOME_NO_RETRY:
            // It may have had its effect.
            guard retry.pointee.rules.repeatable else { return BH_RETRY_ANSWER }
            noteFailed(failure)
            // As many servers have failed it as may, or it is too late.
            return BH_RETRY_GIVE_UP
        default: return BH_RETRY_ANSWER
        }
        return BH_RETRY_NEXT
    }

    /// This process cannot ask any server. It mostly can again soon: a request waits for that once.
    private func starved(_ failure: bh_failure_t) -> bh_retry_action_t {
        if failure.recovered {
            prepareAttempt()
            return BH_RETRY_ASK
        }
        guard retry.pointee.waited else {
            retry.pointee.waited = true
            return BH_RETRY_WAIT
        }
        retry.pointee.lacked &+= 1
        return BH_RETRY_GIVE_UP
    }

    private func noteFailed(_ failure: bh_failure_t) {
        retry.pointee.failures &+= 1
        note(
            failure,
            marks: (failure.closed_reused ? BH_TRIED_CLOSED_REUSED.rawValue : 0)
                | (wasAway(failure) ? BH_TRIED_UNREACHED.rawValue : 0))
    }

    /// Whether the server said nothing, neither to the request nor to us, for as long as it takes to announce itself:
    /// its network may have been away. A server that hangs announces itself, and is not asked to do the same twice.
    private func wasAway(_ failure: bh_failure_t) -> Bool {
        let asked = failure.began_us / 1000
        return !failure.held && nowMicroseconds / 1000 >= asked &+ Self.announced
            && bh_row_heard(bh_segment_row(segment, failure.id)) <= asked
    }

    private func note(_ failure: bh_failure_t, marks: UInt32) {
        if failure.lacks { retry.pointee.lacked &+= 1 }
        if retry.pointee.begun_us == 0 { retry.pointee.begun_us = failure.began_us }
        let place = retry.pointee.tried_count
        guard place < UInt32(BH_TRIED_MOST) else { return }
        if marks & BH_TRIED_CLOSED_REUSED.rawValue != 0 { retry.pointee.closed_reused = true }
        bh_retry_id(retry, place).pointee = failure.id
        bh_retry_of(retry, place).pointee = bh_tried_t(
            boot_id: failure.boot_id, served: bh_word_load(&bh_segment_row_mutable(segment, failure.id).pointee.served),
            asked_ms: failure.began_us / 1000, marks: marks, reserved: 0)
        retry.pointee.tried_count = place &+ 1
    }
}
