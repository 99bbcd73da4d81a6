// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Whether more of the clients' requests come to this httpd than are its share: then others must serve some of them,
/// however well each node does with its own.
///
///     demand = (requests of clients here / capacity here) / (requests that all servers served / capacity of all)
///
/// A request is served once, so what the servers served is what clients sent to all of them. What is older than about
/// ten windows is forgotten.
struct DemandWindow {
    private static let keep = 0.9
    private var direct = 0.0
    private var all = 0.0
    /// Sums over the same time: what requests wait for changes from second to second.
    private var ownCapacity = 0.0
    private var allCapacity = 0.0
    private var forwarded: UInt64 = 0
    private var dispatched: UInt64 = 0

    /// arrived: requests that came in the window; taken: those that the other servers served in it; capacity: of
    /// these servers; dispatched: requests that this httpd has sent on, ever.
    mutating func close(
        _ segment: UnsafeMutablePointer<bh_segment_t>, span: UInt64, arrived: UInt64, taken: Double, capacity: Double,
        dispatched: UInt64
    ) {
        let before = self
        forwarded = bh_word_load(&segment.pointee.forwarded)
        self.dispatched = dispatched
        guard span > 0 else { return }
        let came = Double(arrived)
        direct = direct * Self.keep + max(0, came - Double(forwarded &- before.forwarded))
        all = all * Self.keep + taken + max(0, came - Double(dispatched &- before.dispatched))
        let own = Double(bh_half_load(&bh_segment_row_mutable(segment, 0).pointee.effective_capacity))
        ownCapacity = ownCapacity * Self.keep + own
        allCapacity = allCapacity * Self.keep + own + capacity
        bh_half_store(&segment.pointee.demand, demand)
    }

    private var demand: UInt32 {
        guard ownCapacity > 0, all > 0 else { return 0 }
        return UInt32(min(max(direct / all * allCapacity / ownCapacity * 1000, 1), 1_000_000))
    }
}
