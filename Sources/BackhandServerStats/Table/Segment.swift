// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Bytes of a segment for this many children.
public func segmentSize(childSlots: UInt32) -> Int {
    bh_segment_bytes(childSlots)
}

/// Makes an empty segment of zeroed memory, which must hold at least segmentSize(childSlots:) bytes.
///
/// The magic is written last: a process that sees it sees a whole header.
///
/// - Parameter secret: what checks by this httpd's moderator are known by.
public func formatSegment(
    _ memory: UnsafeMutableRawPointer, size: Int, childSlots: UInt32, bootID: UInt64, secret: (UInt64, UInt64) = (0, 0)
) {
    let segment = memory.assumingMemoryBound(to: bh_segment_t.self)
    segment.pointee.layout = bh_segment_layout()
    segment.pointee.size = UInt64(size)
    segment.pointee.child_slots = childSlots
    segment.pointee.boot_id = bootID
    (segment.pointee.check_high, segment.pointee.check_low) = secret
    bh_word_store(&segment.pointee.magic, bh_segment_magic())
}

/// Whether the memory holds a segment that this build can share.
public func checkSegment(_ memory: UnsafeRawPointer, size: Int) -> Bool {
    guard size >= segmentSize(childSlots: 0),
        UInt(bitPattern: memory) % UInt(MemoryLayout<bh_segment_t>.alignment) == 0
    else { return false }
    let segment = memory.assumingMemoryBound(to: bh_segment_t.self)
    return segment.pointee.magic == bh_segment_magic()
        && segment.pointee.layout == bh_segment_layout()
        && segment.pointee.size <= UInt64(size)
        && segment.pointee.size >= UInt64(segmentSize(childSlots: segment.pointee.child_slots))
}
