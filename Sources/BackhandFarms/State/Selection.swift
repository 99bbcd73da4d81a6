// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

// What states mean for a decision is said before the core decides, in the words that it knows: which members there are,
// and by which weights they share.

typealias Members = UnsafeMutableBufferPointer<bh_member_t>

/// Leaves the members that may get requests, with their weights; returns how many.
func select(
    _ segment: UnsafeMutablePointer<bh_segment_t>, farm: UInt32, _ members: Members,
    places: UnsafeMutablePointer<UInt32>?, now: UInt64
) -> Int {
    if standing(segment, farm: farm, row: 0, now: now) != BH_STANDING_ABLE { return 0 }
    let areLookedAt = areLookedAt(segment, expectation(segment.farm(farm)))
    var kept = 0
    for place in 0..<members.count {
        places?[kept] = UInt32(truncatingIfNeeded: place)
        if areLookedAt {
            let member = members[place]
            guard standing(segment, farm: farm, row: member.row, now: now) == BH_STANDING_ABLE else { continue }
            members[kept] = member
        }
        kept += 1
    }
    let left = Members(rebasing: members.prefix(kept))
    if bh_half_load(&segment.pointee.states) & (BH_STATES_PUSHED.rawValue | BH_STATES_ANSWERED.rawValue) != 0 {
        weigh(segment, left, now: now)
    }
    return kept
}

/// What all of the members have pushed: what one of them has not is not known, and says nothing.
private struct Known {
    var load = true
    var idle = true
    var announced = true
}

private func weigh(_ segment: UnsafeMutablePointer<bh_segment_t>, _ members: Members, now: UInt64) {
    var known = Known()
    for member in members {
        guard member.row > 0, member.row < UInt32(BH_ROWS) else { return }
        let pushed = Pushed(bh_segment_state(segment, member.row), now: now)
        if pushed.load == nil { known.load = false }
        if pushed.idle == nil { known.idle = false }
        if bh_row_heard(bh_segment_row(segment, member.row)) == 0 { known.announced = false }
    }
    for place in members.indices {
        let factor = share(segment, members[place].row, known, now: now)
        // Only what they are to each other counts: a hundred times as fine, so that a small share is not rounded.
        let weight = Double(max(1, min(members[place].weight, 1_000_000))) * 100 * factor
        members[place].weight = UInt32(max(1, min(weight, 1e8)))
    }
}

/// The part of a member's share that is left by what was pushed and answered.
///
/// A processor that is idle for the part p answers a request in 1/p of the time (M/M/1); half of that, as a power, is
/// in the times that this httpd has seen, so the root counts. A request in flight counts as one in flight does: a
/// forecast takes weights for squares of times, which it makes where all members announce.
private func share(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ row: UInt32, _ known: Known, now: UInt64
) -> Double {
    let pushed = Pushed(bh_segment_state(segment, row), now: now)
    var factor = 1.0
    if known.idle, let idle = pushed.idle {
        factor = (max(50, Double(idle)) / 1000).squareRoot()
    } else if known.load, let load = pushed.load {
        factor = (1 / (1 + Double(load) / 1000)).squareRoot()
    }
    let sent = Double(bh_half_load(&bh_segment_row_mutable(segment, row).pointee.in_flight)) + 1
    let crowd = sent / (sent + answers(segment, row: row, now: now) / 1000)
    return known.announced ? factor * factor * crowd * crowd : factor * crowd
}
