// Licensed under the Apache License, Version 2.0; see LICENSE.

// The calls of states.h that mod_backhand makes.

internal import BackhandServerStats
internal import BackhandText
public import CBackhand

@c @implementation
public func bh_farms_command(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ line: UnsafePointer<UInt8>, _ length: Int, _ now: UInt64,
    _ write: bh_write_fn, _ baton: UnsafeMutableRawPointer?, _ ordered: UnsafeMutablePointer<Bool>
) -> Bool {
    ordered.pointee = false
    let line = Word(UnsafeBufferPointer(start: line, count: length))
    return obey(line, segment, now: now, ordered: &ordered.pointee, to: { send($0, write, baton) })
}

@c @implementation
public func bh_farms_page(
    _ segment: UnsafePointer<bh_segment_t>, _ json: Bool, _ now: UInt64, _ write: bh_write_fn,
    _ baton: UnsafeMutableRawPointer?
) -> Bool {
    writeFarmPage(segment.words, isJSON: json, now: now, to: { send($0, write, baton) })
}

@c @implementation
public func bh_farms_announce(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ now: UInt64, _ datagram: UnsafeMutableRawPointer, _ length: Int,
    _ size: Int
) -> Int {
    addMirror(segment, now: now, to: datagram, length, size)
}

@c @implementation
public func bh_farms_hear(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ datagram: UnsafeRawPointer, _ length: Int, _ now: UInt64
) {
    readMirror(segment, UnsafeRawBufferPointer(start: datagram, count: length), now: now)
}

/// Gives a text to a writer of C.
@inline(never)
func send(_ text: Message, _ write: bh_write_fn, _ baton: UnsafeMutableRawPointer?) -> Bool {
    text.bytes.withUnsafeBufferPointer { bytes in
        guard let start = bytes.baseAddress else { return true }
        return write(baton, UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self), bytes.count)
    }
}
