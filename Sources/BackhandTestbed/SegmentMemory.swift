// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats

/// Memory with an empty segment in it, as httpd's parent makes it.
public final class SegmentMemory: @unchecked Sendable {  // what is in it is read and written by atomics
    /// All of the memory.
    public let bytes: UnsafeMutableRawBufferPointer

    /// - Parameter bootID: the httpd's own.
    public init(childSlots: UInt32 = 0, bootID: UInt64 = 1) {
        bytes = .allocate(byteCount: segmentSize(childSlots: childSlots), alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        formatSegment(bytes.baseAddress!, size: bytes.count, childSlots: childSlots, bootID: bootID)
    }

    deinit { bytes.deallocate() }

    /// The segment.
    public var segment: UnsafeMutablePointer<bh_segment_t> {
        bytes.baseAddress!.assumingMemoryBound(to: bh_segment_t.self)
    }
}
