// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
public import CBackhand

/// What checks by the moderators of this segment are known by: 32 hexadecimal digits, which only processes with the
/// segment know.
public func checkSecret(_ segment: UnsafePointer<bh_segment_t>) -> InlineArray<32, UInt8> {
    var text = InlineArray<32, UInt8>(repeating: 0)
    for place in 0..<32 {
        let half = place < 16 ? segment.pointee.check_high : segment.pointee.check_low
        let digit = UInt8(truncatingIfNeeded: half >> (60 - 4 * UInt64(place % 16)) & 15)
        text[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
    return text
}

/// Whether a header has it. A segment without a secret knows no checks.
public func isCheckSecret(_ value: UnsafePointer<CChar>, of segment: UnsafePointer<bh_segment_t>) -> Bool {
    guard segment.pointee.check_high != 0 else { return false }
    let secret = checkSecret(segment)
    var difference = UInt8(0)
    // Up to its NUL, and all of it, so that the time tells nothing of where they differ.
    guard Word(value).bytes.count == 32 else { return false }
    for place in 0..<32 { difference |= secret[place] ^ UInt8(bitPattern: value[place]) }
    return difference == 0
}
