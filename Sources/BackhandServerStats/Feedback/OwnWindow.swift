// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// What this httpd served itself, for clients and for peers: means of the last window, counted in row 0.
public struct OwnWindow: Equatable {
    /// Thousandths of a request; thousandths of a request a second; microseconds until the first byte, and of the
    /// whole; millionths.
    public private(set) var meanInFlight: UInt32 = 0
    /// Requests that arrived, in thousandths of a request a second.
    public private(set) var arrivalRate: UInt32 = 0
    /// Mean time to the first byte, in microseconds; 0 without an answer.
    public private(set) var firstByte: UInt32 = 0
    /// Mean time of a whole request, in microseconds; 0 without an answer.
    public private(set) var latency: UInt32 = 0
    /// Share of errors among the answers, in millionths.
    public private(set) var errorShare: UInt32 = 0
    /// Requests that came in it, of clients and of peers.
    private(set) var arrived: UInt64 = 0
    private var arrivals: UInt64 = 0
    private var served: UInt64 = 0
    private var failed: UInt64 = 0
    private var spent: UInt64 = 0

    /// An empty window, before the first request.
    public init() {}

    mutating func close(_ segment: UnsafeMutablePointer<bh_segment_t>, span: UInt64) {
        let row = bh_segment_row_mutable(segment, 0)
        let before = self
        arrivals = bh_word_load(&segment.pointee.arrivals)
        served = bh_word_load(&row.pointee.served)
        failed = bh_word_load(&row.pointee.failed)
        spent = bh_word_load(&row.pointee.service_us)
        guard span > 0 else { return }
        let answered = served &- before.served
        let wrong = failed &- before.failed
        meanInFlight = bh_half_load(&row.pointee.sent_mean)
        arrived = arrivals &- before.arrivals
        arrivalRate = share(arrived, of: span, times: 1_000_000_000)
        firstByte = answered == 0 ? 0 : UInt32(clamping: bh_mean_value(bh_word_load(&row.pointee.first_byte)))
        latency = answered == 0 ? 0 : UInt32(clamping: (spent &- before.spent) / answered)
        errorShare = share(wrong, of: answered &+ wrong, times: 1_000_000)
    }

    private func share(_ part: UInt64, of whole: UInt64, times: UInt64) -> UInt32 {
        guard whole > 0 else { return 0 }
        return UInt32(min(Double(part) / Double(whole) * Double(times), 4e9))
    }
}
