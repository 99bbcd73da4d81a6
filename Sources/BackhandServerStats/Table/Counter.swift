// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Name of a counter as the JSON shows it; nil past the last. Lives for ever.
public func counterName(_ counter: UInt32) -> UnsafePointer<CChar>? {
    guard let name = counterText(counter) else { return nil }
    return UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// In the order of bh_counter_t.
func counterText(_ counter: UInt32) -> StaticString? {
    switch counter {
    case BH_COUNT_RECEIVED.rawValue: "received"
    case BH_COUNT_ACCEPTED.rawValue: "accepted"
    case BH_COUNT_OWN.rawValue: "own"
    case BH_COUNT_NOT_ACCEPTED.rawValue: "not_accepted"
    case BH_COUNT_TRUNCATED.rawValue: "truncated"
    case BH_COUNT_OVERSIZED.rawValue: "oversized"
    case BH_COUNT_FOREIGN.rawValue: "foreign"
    case BH_COUNT_VERSION.rawValue: "version"
    case BH_COUNT_NONSENSE.rawValue: "nonsense"
    case BH_COUNT_REPEATED.rawValue: "repeated"
    case BH_COUNT_TABLE_FULL.rawValue: "table_full"
    case BH_COUNT_ANNOUNCED.rawValue: "announced"
    case BH_COUNT_SEND_FAILED.rawValue: "send_failed"
    case BH_COUNT_OWN_ADDRESS.rawValue: "own_address"
    case BH_COUNT_FORBIDDEN.rawValue: "forbidden"
    case BH_COUNT_OUTSIDE.rawValue: "outside"
    case BH_COUNT_OTHERS_ADDRESS.rawValue: "others_address"
    case BH_COUNT_CROWD.rawValue: "crowd"
    case BH_COUNT_UNSIGNED.rawValue: "unsigned"
    case BH_COUNT_BAD_SIGNATURE.rawValue: "bad_signature"
    case BH_COUNT_CHALLENGED.rawValue: "challenged"
    case BH_COUNT_ANSWERED.rawValue: "answered"
    case BH_COUNT_BAD_ANSWER.rawValue: "bad_answer"
    case BH_COUNT_EXPIRED.rawValue: "expired"
    case BH_COUNT_UNCHALLENGED.rawValue: "unchallenged"
    case BH_COUNT_UNCHECKED.rawValue: "unchecked"
    case BH_COUNT_OVERFLOWED.rawValue: "overflowed"
    case BH_COUNT_FILTERED.rawValue: "filtered"
    case BH_COUNT_NOT_CONNECTIONS.rawValue: "not_connections"
    default: nil
    }
}
