// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// Maps shared memory, and makes an empty segment of it for this many children. Returns 0 or an errno.
///
/// - Parameter bootID: nil: a new one.
public func mapSegment(
    childSlots: UInt32, bootID: UInt64? = nil, _ memory: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
    _ size: UnsafeMutablePointer<Int>
) -> Int32 {
    let bytes = segmentSize(childSlots: childSlots)
    do throws(SystemError) {
        // 0 would mean "none": one chance in 2^64, but cheap to exclude.
        let bootID = if let bootID { bootID } else { max(1, try randomWord()) }
        let secret = (try randomWord(), try randomWord())
        let mapped = try mapShared(bytes)
        formatSegment(mapped, size: bytes, childSlots: childSlots, bootID: bootID, secret: secret)
        (memory.pointee, size.pointee) = (mapped, bytes)
        return 0
    } catch {
        return error.code
    }
}
