// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand
internal import CSystem

/// What stands after a list that a loaded function gets. No pointer and no small number looks like it.
private let canary: UInt64 = 0xb5c3_5ac9_a3d6_5c3b

extension Candidates {
    /// Calls a function that BackhandFromSO loaded and checks its result. A bad one leaves the candidates as they were.
    mutating func callLoaded(
        _ call: bh_candidacy_fn, _ context: UnsafeMutableRawPointer?, _ argument: UnsafePointer<CChar>?
    ) -> bh_fault_t? {
        spare.update(from: list, count: count)
        // Functions of old may append an id and nothing else: the rest of that entry must mean something.
        // All of its bits are zero, and four make a cache line. One after the other they took longer than most
        // functions.
        (list + count).update(repeating: ServerSlot(), count: (capacity &- count) % 4)
        csystem_clear(list + count + (capacity &- count) % 4, (capacity &- count) / 4)
        let behind = UnsafeMutableRawPointer(list + capacity).assumingMemoryBound(to: UInt64.self)
        behind.update(repeating: canary, count: Workspace.canaryWords)
        var number = Int32(truncatingIfNeeded: count)
        _ = call(context, list, &number, UnsafeMutablePointer(mutating: argument))
        if let fault = check(number, behind) {
            swap(&list, &spare)
            return fault
        }
        count = Int(number)
        return nil
    }

    /// Whether a function may list the row's server: one that announces itself or, where the configuration names the
    /// servers, one of those.
    private func isKnown(_ id: UInt32) -> Bool {
        let row = bh_segment_row(segment, id)
        return bh_row_heard(row) != 0 || (!members.isEmpty && bh_row_is_member(row))
    }

    /// What is wrong with the list and its new count, if anything. Uses the keys as a set of ids.
    private func check(_ number: Int32, _ behind: UnsafePointer<UInt64>) -> bh_fault_t? {
        for word in 0..<Workspace.canaryWords where behind[word] != canary { return BH_FAULT_CANARY }
        guard number >= 0, number <= BH_ROWS else { return BH_FAULT_COUNT }
        let rows = bh_segment_rows(segment)
        keys.update(repeating: 0, count: Int(BH_ROWS) / 64)
        for place in 0..<Int(number) {
            let id = list[place].row
            guard id < rows, isKnown(id) else { return BH_FAULT_ID }
            let bit = UInt64(1) &<< UInt64(id & 63)
            guard keys[Int(id >> 6)] & bit == 0 else { return BH_FAULT_TWICE }
            keys[Int(id >> 6)] |= bit
            let mode = list[place].mode
            guard mode == CChar(BACKHAND_MODE_PROXY) || mode == CChar(BACKHAND_MODE_REDIRECT) else {
                return BH_FAULT_MODE
            }
        }
        return nil
    }
}
