// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// The state of this machine at one moment.
public struct HostSample: Equatable {
    /// Load average over one minute, in thousandths.
    public var load: Int32 = 0
    /// Idle share of the CPUs that this process may use since the last sample, 0...1000; of all where the system does
    /// not tell them apart.
    public var idle: Int32 = 0
    /// CPUs that this process may use; 0: not known.
    public var cpus: Int32 = 0
    /// Bytes; 0: not known.
    public var totalMemory: UInt64 = 0
    /// Bytes that programs can get without swapping; 0: none or not known.
    public var availableMemory: UInt64 = 0

    /// A sample in which nothing is known.
    public init() {}
}

/// A figure of ``HostSample`` that the system did not tell.
public enum HostFigure {
    case load, idle, memory
}

/// Memory as the system tells it. Bytes.
struct Memory: Equatable {
    var total: UInt64
    var available: UInt64
}

/// Time that CPUs together have spent since the start of the system, in a unit of the system's own.
struct CPUTime: Equatable {
    var idle: UInt64
    var total: UInt64

    /// Idle share of the time since an earlier reading, 0...1000; nil if no time has passed or the counters fell.
    func idleShare(since earlier: CPUTime) -> Int32? {
        let total = total.saturatingMinus(earlier.total)
        guard total > 0 else { return nil }
        // Idle time may fall a little when the kernel moves time to where it belongs.
        let idle = min(idle.saturatingMinus(earlier.idle), total)
        return Int32(clamping: Self.share(idle, of: total))
    }

    private static func share(_ part: UInt64, of whole: UInt64) -> UInt64 {
        let (product, overflow) = part.multipliedReportingOverflow(by: 1000)
        return overflow ? part / (whole / 1000) : product / whole
    }
}
