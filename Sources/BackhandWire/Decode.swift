// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats

/// What a datagram was.
public enum Decoded {
    /// One of our announcements; changed_wall is the sender's, 0 if it is not known.
    case announcement(bh_facts_t)
    /// Something else, to be counted so and forgotten.
    case dropped(bh_counter_t)
}

/// Reads one datagram, whatever it holds.
///
/// Checks structure and identity; the numbers of a server's state are taken as they came, because the code that uses
/// them checks them anyway.
public func decodeAnnouncement(_ bytes: UnsafeRawBufferPointer) -> Decoded {
    if let wrong = checkEnvelope(bytes) { return .dropped(wrong) }
    var facts = bh_facts_t()
    decodeHeader(bytes, into: &facts)
    guard facts.port != 0, facts.address.isUnicast else { return .dropped(BH_COUNT_NONSENSE) }
    if let wrong = decodeExtensions(bytes, into: &facts) { return .dropped(wrong) }
    return .announcement(facts)
}

/// Why this is not an announcement of this version; nil if it has a whole header and the length that the header says.
private func checkEnvelope(_ bytes: UnsafeRawBufferPointer) -> bh_counter_t? {
    for index in 0..<min(4, bytes.count)
    where bytes[index] != UInt8(truncatingIfNeeded: magic >> (24 - 8 * UInt32(index))) {
        return BH_COUNT_FOREIGN
    }
    if bytes.count > Field.version, bytes[Field.version] != protocolVersion { return BH_COUNT_VERSION }
    if bytes.count > announcementLimit { return BH_COUNT_OVERSIZED }
    if bytes.count < Field.extensions { return BH_COUNT_TRUNCATED }
    let length = Int(bytes.number(at: Field.length, as: UInt16.self))
    if length > bytes.count { return BH_COUNT_TRUNCATED }
    return length < bytes.count ? BH_COUNT_OVERSIZED : nil
}

private func decodeHeader(_ bytes: UnsafeRawBufferPointer, into facts: inout bh_facts_t) {
    facts.boot_id = bytes.number(at: Field.bootID, as: UInt64.self)
    facts.sequence = bytes.number(at: Field.sequence, as: UInt64.self)
    facts.address.high = bytes.number(at: Field.address, as: UInt64.self)
    facts.address.low = bytes.number(at: Field.address + 8, as: UInt64.self)
    facts.port = bytes.number(at: Field.port, as: UInt16.self)
    facts.arriba = bytes.number(at: Field.arriba, as: Int32.self)
    facts.load = bytes.number(at: Field.load, as: Int32.self)
    facts.load_hwm = bytes.number(at: Field.loadHighWaterMark, as: Int32.self)
    facts.cpu = bytes.number(at: Field.cpu, as: Int32.self)
    facts.ncpu = bytes.number(at: Field.cpus, as: Int32.self)
    facts.workers = bytes.number(at: Field.workers, as: Int32.self)
    facts.idle_workers = bytes.number(at: Field.idleWorkers, as: Int32.self)
    facts.total_memory = bytes.number(at: Field.totalMemory, as: UInt64.self)
    facts.free_memory = bytes.number(at: Field.freeMemory, as: UInt64.self)
    facts.arrivals = bytes.number(at: Field.arrivals, as: UInt64.self)
    facts.cpu_used = BH_CPU_UNKNOWN
}

/// Why the extensions are wrong; nil if they are well formed and the hostname is among them.
private func decodeExtensions(_ bytes: UnsafeRawBufferPointer, into facts: inout bh_facts_t) -> bh_counter_t? {
    var offset = Field.extensions
    var seen = TagSet()
    while offset < bytes.count {
        guard bytes.count - offset >= 4 else { return BH_COUNT_TRUNCATED }
        let tag = bytes.number(at: offset, as: UInt16.self)
        let length = Int(bytes.number(at: offset + 2, as: UInt16.self))
        offset += 4
        guard length <= bytes.count - offset else { return BH_COUNT_TRUNCATED }
        let value = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + length)])
        guard seen.insert(tag), decodeExtension(tag, value, into: &facts) else { return BH_COUNT_NONSENSE }
        offset += length
    }
    return seen.contains(Tag.hostname) ? nil : BH_COUNT_NONSENSE
}

/// False if the value is not what the tag says. Tags of later programs say nothing to us.
private func decodeExtension(_ tag: UInt16, _ value: UnsafeRawBufferPointer, into facts: inout bh_facts_t) -> Bool {
    switch tag {
    case Tag.hostname:
        guard value.count >= 1, value.count < Int(BH_HOSTNAME_SIZE), value.allSatisfy(isNameByte) else { return false }
        withUnsafeMutableBytes(of: &facts.hostname) { $0.copyMemory(from: value) }
    case Tag.workerMemory:
        guard value.count == 8 else { return false }
        facts.worker_memory = value.number(at: 0, as: UInt64.self)
    case Tag.state:
        guard value.count == 1 else { return false }
        // States of later programs: none of them can mean that it takes requests.
        facts.state = min(value[0], UInt8(BH_STATE_SHUTDOWN.rawValue))
    case Tag.time:
        guard value.count == 8 else { return false }
        facts.sent_ms = value.number(at: 0, as: UInt64.self)
    case Tag.stalled:
        guard value.count == 4 else { return false }
        facts.stalled_ms = value.number(at: 0, as: UInt32.self)
    case Tag.slashes:
        guard value.count == 2 else { return false }
        facts.slashes = Slashes(UInt32(value.number(at: 0, as: UInt16.self))).value
    case Tag.idle: decodeIdle(value, into: &facts)
    case Tag.wall:
        guard value.count == 8 else { return false }
        facts.changed_wall = value.number(at: 0, as: Int64.self)
    case Tag.connections:
        guard value.count == connectionsSize else { return false }
        facts.counts_connections = 1
        facts.connections = value.number(at: 0, as: UInt32.self)
        facts.listen_queue = value.number(at: 4, as: UInt32.self)
    case Tag.check: return decodeCheck(value, into: &facts)
    case Tag.means:
        guard value.count == meansSize else { return false }
        decodeMeans(value, into: &facts)
    default: break
    }
    return true
}

/// Findings of later programs count as an answer that is not HTTP.
private func decodeCheck(_ value: UnsafeRawBufferPointer, into facts: inout bh_facts_t) -> Bool {
    guard value.count >= checkSize, value.count - checkSize < Int(BH_CHECK_NAME_SIZE), value[0] <= 1 else {
        return false
    }
    let name = UnsafeRawBufferPointer(rebasing: value.dropFirst(checkSize))
    guard name.allSatisfy(isCheckNameByte) else { return false }
    let finding = UInt32(value[1]) < UInt32(BH_FINDINGS) ? UInt32(value[1]) : BH_FINDING_INVALID.rawValue
    facts.check = finding | UInt32(value.number(at: 2, as: UInt16.self)) << 16
    if value[0] == 1 { facts.check |= BH_CHECK_FAILING }
    // Without a finding there is no check that could have a name.
    guard facts.check != 0 else { return true }
    withUnsafeMutableBytes(of: &facts.check_name) { $0.copyMemory(from: name) }
    return true
}

/// Nonsense, and costs of later programs, count as not announced: then little is kept.
private func decodeIdle(_ value: UnsafeRawBufferPointer, into facts: inout bh_facts_t) {
    guard value.count == idleSize, value[0] >= 1, value[0] <= UInt8(BH_IDLE_CLOSED.rawValue) else { return }
    let kept = value.number(at: 12, as: Int32.self)
    guard kept >= 0 else { return }
    facts.idle_cost = UInt32(value[0])
    facts.keepalive_ms = value.number(at: 4, as: UInt32.self)
    facts.keepalive_requests = value.number(at: 8, as: UInt32.self)
    facts.kept_workers = kept
}

private func decodeMeans(_ value: UnsafeRawBufferPointer, into facts: inout bh_facts_t) {
    facts.dispatched = value.number(at: 0, as: UInt64.self)
    facts.mean_in_flight = value.number(at: 8, as: UInt32.self)
    facts.arrival_rate = value.number(at: 12, as: UInt32.self)
    facts.first_byte_us = value.number(at: 16, as: UInt32.self)
    facts.latency_us = value.number(at: 20, as: UInt32.self)
    facts.cpu_used = value.number(at: 24, as: UInt32.self)
    facts.capacity = value.number(at: 28, as: UInt32.self)
    facts.error_ppm = value.number(at: 32, as: UInt32.self)
}

/// The tags seen so far: few enough to look through them, and no allocation.
private struct TagSet {
    private var tags = InlineArray<32, UInt16>(repeating: 0)
    private var count = 0

    /// False if the tag was seen before, or if there are more than an announcement may have.
    mutating func insert(_ tag: UInt16) -> Bool {
        guard count < extensionLimit, count < tags.count, !contains(tag) else { return false }
        tags[count] = tag
        count += 1
        return true
    }

    func contains(_ tag: UInt16) -> Bool {
        for index in 0..<count where tags[index] == tag { return true }
        return false
    }
}
