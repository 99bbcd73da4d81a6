// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// Bytes of workspace that a decision over the segment needs now.
///
/// A loaded function may write MAXSERVERS entries wherever the table ends, so a chain with one needs room for them.
public func workspaceSize(_ segment: UnsafePointer<bh_segment_t>, _ steps: UnsafeBufferPointer<bh_step_t>) -> Int {
    guard callsLoadedFunction(steps) == false else { return Workspace.loadedSize }
    let rows = Int(bh_segment_rows(segment))
    return Workspace.countsSize &+ max(1, rows) &* Workspace.entrySize
}

/// The caller's memory, divided: counts, the list, the spare list, the keys. After each list stands a canary if
/// functions that we do not know write to it.
struct Workspace {
    /// Counts of all steps that a chain may have, rounded up to words.
    static let countsSize = ((Int(BH_STEPS_MAX) &+ 1) &* 2 &+ 7) & ~7
    /// Two slots and a key.
    static let entrySize = 2 &* MemoryLayout<ServerSlot>.stride &+ 8
    /// Four slots' worth: what writes one slot too many, or a few, is seen.
    static let canaryWords = 8
    static let loadedSize = countsSize &+ Int(BH_ROWS) &* entrySize &+ 2 &* canaryWords &* 8

    let counts: UnsafeMutablePointer<UInt16>
    let list: UnsafeMutablePointer<ServerSlot>
    let spare: UnsafeMutablePointer<ServerSlot>
    let keys: UnsafeMutablePointer<UInt64>
    /// Entries of each list.
    let capacity: Int

    /// nil if there is too little room.
    init?(_ memory: UnsafeMutableRawBufferPointer, loaded: Bool) {
        let least = loaded ? Self.loadedSize : Self.countsSize &+ Self.entrySize
        guard let start = memory.baseAddress, memory.count >= least else { return nil }
        capacity = loaded ? Int(BH_ROWS) : min(Int(BH_ROWS), (memory.count &- Self.countsSize) / Self.entrySize)
        let listSize = capacity &* MemoryLayout<ServerSlot>.stride &+ (loaded ? Self.canaryWords &* 8 : 0)
        counts = start.bindMemory(to: UInt16.self, capacity: Int(BH_STEPS_MAX) &+ 1)
        list = (start + Self.countsSize).bindMemory(to: ServerSlot.self, capacity: capacity)
        spare = (start + Self.countsSize + listSize).bindMemory(to: ServerSlot.self, capacity: capacity)
        keys = (start + Self.countsSize + 2 * listSize).bindMemory(to: UInt64.self, capacity: capacity)
    }
}
