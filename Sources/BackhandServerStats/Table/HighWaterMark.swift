// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// The load high-water mark of mod_backhand 1.2.2 (its platform.c): the L of byCost's load term. It never falls, and
// spreads through the cluster, because every server announces the highest one that it has seen or computed.

/// The highest mark whose thousandths still fit into an Int32: 2^21.
private let highestMark = Int64(1) << 21

/// Highest arriba among all rows, at least 0.
public func highestArriba(_ segment: UnsafePointer<bh_segment_t>, rows: UInt32) -> Int32 {
    var highest = Int32(0)
    forEachServer(segment, rows) { highest = max(highest, $0.arriba) }
    return highest
}

/// The mark that this httpd announces, in thousandths of load, as the table stands: a power of two times 1000.
///
/// Stale rows count too, as they did in the original.
///
/// - Parameter rows: how many there are, by the moderator's own memory.
public func loadHighWaterMark(_ segment: UnsafePointer<bh_segment_t>, rows: UInt32) -> Int32 {
    let fastest = highestArriba(segment, rows: rows)
    var highest = Int64(0)
    var announced = Int64(0)
    forEachServer(segment, rows) { facts in
        highest = max(highest, normalisedLoad(facts.load, arriba: facts.arriba, fastest: fastest))
        announced = max(announced, Int64(facts.load_hwm) / 1000)
    }
    return Int32(clamping: min(max(mark(of: highest), announced), highestMark) * 1000)
}

/// Load x 1000 as if on the cluster's fastest machine; 0 if the arriba is not known.
func normalisedLoad(_ load: Int32, arriba: Int32, fastest: Int32) -> Int64 {
    guard arriba > 0 else { return 0 }
    return Int64(load) * Int64(fastest) / Int64(arriba)
}

/// The smallest power of two that is not below the load x 1000; 1 for everything up to 1.000.
func mark(of load: Int64) -> Int64 {
    let whole = (load > 0 ? load - 1 : 0) / 1000
    // 0 -> 1, 1 -> 2, 2...3 -> 4, 4...7 -> 8
    return whole >= highestMark ? highestMark : Int64(1) << Int64(Int64.bitWidth - whole.leadingZeroBitCount)
}

/// Calls with the facts of each server that can be read.
private func forEachServer(_ segment: UnsafePointer<bh_segment_t>, _ rows: UInt32, _ body: (bh_facts_t) -> Void) {
    var facts = bh_facts_t()
    for id in 0..<rows {
        let row = bh_segment_row(segment, id)
        if bh_row_heard(row) != 0, bh_row_copy(row, &facts) { body(facts) }
    }
}
