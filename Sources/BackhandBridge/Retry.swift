// Licensed under the Apache License, Version 2.0; see LICENSE.

// The retry policy of backhand.h.

public import CBackhand
internal import BackhandCandidacy

@c @implementation
public func bh_retry_next(
    _ retry: UnsafeMutablePointer<bh_retry_t>?, _ segment: UnsafeMutablePointer<bh_segment_t>?,
    _ decision: UnsafePointer<bh_decision_t>?, _ now: UInt64
) -> bh_retry_action_t {
    guard let retry, let segment, let decision else { return BH_RETRY_GIVE_UP }
    return RetryPolicy(retry, segment, nowMicroseconds: now).next(decision)
}

@c @implementation
public func bh_retry_failed(
    _ retry: UnsafeMutablePointer<bh_retry_t>?, _ segment: UnsafeMutablePointer<bh_segment_t>?,
    _ failure: UnsafePointer<bh_failure_t>?
) -> bh_retry_action_t {
    guard let retry, let segment, let failure, failure.pointee.id < UInt32(BH_ROWS) else { return BH_RETRY_GIVE_UP }
    return RetryPolicy(retry, segment, nowMicroseconds: failure.pointee.now_us).failed(failure.pointee)
}

@c @implementation
public func bh_outcome_text(
    _ outcome: bh_outcome_t, _ status: Int32, _ room: UnsafeMutablePointer<CChar>?, _ size: Int
) {
    write(outcomeText(outcome, status: status), to: room, size)
}
