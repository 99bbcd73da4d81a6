// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// Senders that were heard lately, but are not in the table, and why: the last few, for the status page. In the
/// moderator's own memory; the segment gets a copy.
///
/// A server announces itself once a second, so one that is refused stays, whatever else comes: a place is taken only
/// from a sender that has not been heard for a while.
public struct RefusedSenders {
    private struct Sender {
        var address = bh_address_t()
        var counter = UInt32(0)
        var times = UInt32(0)
        /// When it was heard last; 0: the place is free.
        var heard = UInt64(0)
    }

    /// Three announcements in a row got lost: it may have gone.
    private static var patience: UInt64 { 3000 }
    /// As a server in the table is stale.
    private static var kept: UInt64 { UInt64(SERVER_TIMEOUT) * 1000 }

    private var senders = [Sender](repeating: Sender(), count: Int(BH_SENDERS))
    private var isPublished = true

    /// An empty list.
    public init() {}

    /// A datagram of the sender was refused, and counted as that.
    public mutating func note(_ address: bh_address_t, _ counter: bh_counter_t, now: UInt64) {
        guard refusalText(counter.rawValue) != nil else { return }
        isPublished = false
        var oldest = 0
        for place in senders.indices {
            if senders[place].heard != 0, senders[place].address == address {
                senders[place].counter = counter.rawValue
                senders[place].heard = max(now, 1)
                senders[place].times = senders[place].times &+ 1
                return
            }
            if senders[place].heard < senders[oldest].heard { oldest = place }
        }
        guard senders[oldest].heard == 0 || now > senders[oldest].heard &+ Self.patience else { return }
        senders[oldest] = Sender(address: address, counter: counter.rawValue, times: 1, heard: max(now, 1))
    }

    /// It has proven that it has the key.
    public mutating func forgetUnproven(_ address: bh_address_t) {
        guard !isPublished else { return }
        for place in senders.indices
        where senders[place].address == address && senders[place].counter == BH_COUNT_CHALLENGED.rawValue {
            senders[place].heard = 0
        }
    }

    /// Once a second.
    public mutating func publish(to segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64) {
        guard !isPublished else { return }
        isPublished = true
        for place in senders.indices {
            let sender = senders[place]
            if sender.heard != 0, now > sender.heard &+ Self.kept { senders[place].heard = 0 }
            if senders[place].heard != 0 { isPublished = false }
            bh_segment_set_sender(
                segment, UInt32(place), sender.address, sender.counter, sender.times, senders[place].heard)
        }
    }
}

/// Why a datagram's sender is not in the table, in a word; nil: it says nothing of a server. Counted as that.
public func refusalText(_ counter: UInt32) -> StaticString? {
    switch counter {
    case BH_COUNT_UNSIGNED.rawValue: "no key"
    case BH_COUNT_BAD_SIGNATURE.rawValue: "wrong key"
    case BH_COUNT_CHALLENGED.rawValue, BH_COUNT_BAD_ANSWER.rawValue: "not proven"
    case BH_COUNT_NOT_ACCEPTED.rawValue, BH_COUNT_OUTSIDE.rawValue, BH_COUNT_FORBIDDEN.rawValue,
        BH_COUNT_OTHERS_ADDRESS.rawValue:
        "not accepted"
    case BH_COUNT_VERSION.rawValue: "other version"
    case BH_COUNT_OWN_ADDRESS.rawValue: "our address"
    case BH_COUNT_CROWD.rawValue, BH_COUNT_TABLE_FULL.rawValue: "no room"
    default: nil
    }
}
