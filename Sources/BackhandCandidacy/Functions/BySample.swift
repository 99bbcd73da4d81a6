// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand
internal import CSystem

/// Up to this many are found sooner by keeping them in order than by sorting all.
private let fewEnough = 64

extension CandidacyFunction {
    /// Keeps a random few, each the likelier the more capacity it announces; equally likely if one of them announces
    /// none.
    ///
    /// P. Efraimidis, P. Spirakis: Weighted random sampling with a reservoir, Information Processing Letters 97(5),
    /// 2006: the least of exponential numbers with the weights as rates.
    static var bySample: CandidacyFunction {
        CandidacyFunction(
            "bySample", .whole("a whole number of servers", from: 1, through: UInt32(BH_ROWS), otherwise: nil)
        ) {
            candidates, most in
            guard candidates.count > 1 else { return }
            let weighted = candidates.haveCapacities
            var random = SplitMix64(seed: candidates.seed, stream: candidates.step)
            func key(_ slot: ServerSlot, _ segment: UnsafePointer<bh_segment_t>) -> SortKey {
                let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, slot.row))
                let weight = weighted ? Double(bh_half_load(&row.pointee.facts.capacity)) : 1
                return SortKey((0 - csystem_log(random.unit())) / weight)
            }
            let kept = min(candidates.count, Int(most.number))
            if kept <= fewEnough { candidates.sort(first: kept, by: key) } else { candidates.sort(by: key) }
            candidates.count = kept
        }
    }
}

extension Candidates {
    /// Whether all of them announce a capacity.
    fileprivate var haveCapacities: Bool {
        for place in 0..<count {
            let row = UnsafeMutablePointer(mutating: bh_segment_row(segment, list[place].row))
            if bh_half_load(&row.pointee.facts.capacity) == 0 { return false }
        }
        return true
    }
}
