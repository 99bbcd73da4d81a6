// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// Decides when dropped announcements are worth a line: at most one a minute and kind, so that no sender can flood the
/// log.
struct DropLog {
    private var kinds = [Minute](repeating: Minute(), count: Int(BH_COUNTERS.rawValue))

    /// Notes one event; returns how many there were since the last line if a line is due, else nil.
    mutating func note(_ counter: bh_counter_t, now: UInt64) -> UInt64? {
        let place = Int(counter.rawValue)
        return kinds.indices.contains(place) ? kinds[place].note(now: now) : nil
    }
}

/// The number and the words for a kind of drop; nil for events that are not worth a line.
func dropLine(_ counter: bh_counter_t) -> (number: Int32, why: StaticString)? {
    switch counter {
    case BH_COUNT_NOT_ACCEPTED: (LogNumber.notAccepted, "the sender is outside AcceptStats")
    case BH_COUNT_TRUNCATED: (LogNumber.truncated, "cut short")
    case BH_COUNT_OVERSIZED: (LogNumber.oversized, "longer than any announcement, or than its header says")
    case BH_COUNT_FOREIGN: (LogNumber.foreign, "not an announcement of mod_backhand")
    case BH_COUNT_VERSION: (LogNumber.version, "of another version of the protocol")
    case BH_COUNT_NONSENSE: (LogNumber.nonsense, "with values that cannot be")
    case BH_COUNT_TABLE_FULL: (LogNumber.tableFull, "a new server, and the table is full")
    case BH_COUNT_OWN_ADDRESS: (LogNumber.ownAddress, "another httpd announces our own address and port")
    case BH_COUNT_FORBIDDEN:
        (LogNumber.forbidden, "it announces a link-local address, or a loopback address of another machine")
    case BH_COUNT_OUTSIDE: (LogNumber.outside, "it announces an address outside AcceptStats")
    case BH_COUNT_OTHERS_ADDRESS:
        (LogNumber.othersAddress, "without a BackhandKey a server announces only the address that it sends from")
    case BH_COUNT_CROWD: (LogNumber.crowd, "it announces one new server more than a sender may")
    case BH_COUNT_UNSIGNED: (LogNumber.unsigned, "it is not signed")
    case BH_COUNT_BAD_SIGNATURE: (LogNumber.badSignature, "none of our keys has signed it")
    case BH_COUNT_UNCHECKED:
        (LogNumber.unchecked, "more signatures than are checked in a second, and more of this sender")
    case BH_COUNT_BAD_ANSWER: (LogNumber.badAnswer, "it answers no challenge of ours, or too late")
    default: nil
    }
}
