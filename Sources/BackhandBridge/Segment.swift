// Licensed under the Apache License, Version 2.0; see LICENSE.

// The segment of backhand.h.

internal import BackhandText
public import CBackhand
internal import BackhandServerStats

@c @implementation
public func bh_segment_size(_ childSlots: UInt32) -> Int {
    segmentSize(childSlots: childSlots)
}

@c @implementation
public func bh_segment_format(
    _ memory: UnsafeMutableRawPointer?, _ size: Int, _ childSlots: UInt32, _ bootID: UInt64
) -> bh_status_t {
    guard let memory, childSlots > 0, size >= segmentSize(childSlots: childSlots) else { return BH_EINVAL }
    formatSegment(memory, size: size, childSlots: childSlots, bootID: bootID)
    return BH_OK
}

@c @implementation
public func bh_segment_check(_ memory: UnsafeRawPointer?, _ size: Int) -> bh_status_t {
    guard let memory, size > 0 else { return BH_EINVAL }
    return checkSegment(memory, size: size) ? BH_OK : BH_ELAYOUT
}

@c @implementation
public func bh_members_write(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ named: UnsafePointer<UnsafeMutablePointer<bh_named_t>>?,
    _ count: Int, _ now: UInt64
) {
    writeMembers(segment, UnsafeBufferPointer(start: named, count: count), now: now)
}

@c @implementation
public func bh_counter_name(_ counter: UInt32) -> UnsafePointer<CChar>? {
    counterName(counter)
}

@c @implementation
public func bh_reasons_write(
    _ segment: UnsafePointer<bh_segment_t>?, _ now: UInt64, _ text: UnsafeMutablePointer<CChar>?, _ size: Int
) {
    write(segment.map { reasons($0, now: now) } ?? Message(), to: text, size)
}

@c @implementation
public func bh_page_policy() -> UnsafePointer<CChar> {
    pagePolicy.characters
}

@c @implementation
public func bh_page_trouble(
    _ segment: UnsafePointer<bh_segment_t>?, _ page: UnsafePointer<bh_page_t>?
) -> UnsafePointer<CChar> {
    guard let page else { return bh_trouble_text(BH_TROUBLE_UNATTENDED) }
    return troubleText(segment, page.pointee)
}

@c @implementation
public func bh_page_write(
    _ segment: UnsafePointer<bh_segment_t>?, _ page: UnsafePointer<bh_page_t>?, _ write: bh_write_fn?,
    _ baton: UnsafeMutableRawPointer?
) -> bh_status_t {
    guard let page, let write else { return BH_EINVAL }
    return writeStatusPage(segment, page.pointee, write, baton) ? BH_OK : BH_ESPACE
}

@c @implementation
public func bh_figures_write(
    _ segment: UnsafePointer<bh_segment_t>?, _ lines: Bool, _ now: UInt64, _ write: bh_write_fn?,
    _ baton: UnsafeMutableRawPointer?
) -> bh_status_t {
    guard let segment, let write else { return BH_EINVAL }
    return writeFigures(segment, lines: lines, now: now, to: { hand($0, to: write, baton) }) ? BH_OK : BH_ESPACE
}

@c @implementation
public func bh_feedback_report(
    _ segment: UnsafeMutablePointer<bh_segment_t>?, _ result: UnsafePointer<bh_result_t>?
) -> UInt32 {
    guard let segment, let result, result.pointee.id < UInt32(BH_ROWS) else { return 0 }
    return report(result, to: segment)
}

@c @implementation
public func bh_silence_after(
    _ segment: UnsafePointer<bh_segment_t>?, _ id: UInt32, _ server: UnsafePointer<bh_facts_t>?, _ seconds: UInt32,
    _ how: UnsafePointer<bh_next_attempt_t>?, _ now: UInt64
) -> bh_silence_t {
    guard let segment, let server, let how, id < UInt32(BH_ROWS) else { return BH_SILENCE_WAIT }
    return silence(segment, id, server, seconds: seconds, how: how, now: now)
}

@c @implementation
public func bh_asked_of(_ client: UnsafeRawPointer?, _ length: Int, _ url: UnsafePointer<CChar>?) -> bh_asked_t {
    asked(client: UnsafeRawBufferPointer(start: client, count: client == nil ? 0 : max(length, 0)), url: url)
}
