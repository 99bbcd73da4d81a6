// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats

/// What is sent for an empty hostname: the field is required.
private let unnamed: StaticString = "unknown"

/// Writes an announcement; returns its length, or 0 if there is no room.
///
/// A byte that a hostname may not have is sent as "-", an empty hostname as "unknown". sent_ms and changed_wall
/// are sent in signed ones only: without a signature they prove nothing.
///
/// - Parameters:
///   - answering: the challenge's nonce, for an answer.
///   - signed: whether the last 32 bytes are left for the signature of those before them.
public func encodeAnnouncement(
    _ facts: bh_facts_t, answering: Nonce? = nil, signed: Bool = false, into buffer: UnsafeMutableRawBufferPointer
) -> Int {
    withUnsafeBytes(of: facts.hostname) { room in
        var name = UnsafeRawBufferPointer(rebasing: room.prefix { $0 != 0 })
        if name.isEmpty { name = UnsafeRawBufferPointer(start: unnamed.utf8Start, count: unnamed.utf8CodeUnitCount) }
        name = UnsafeRawBufferPointer(rebasing: name.prefix(Int(BH_HOSTNAME_SIZE) - 1))
        let length = Field.extensions + 4 + name.count + (facts.worker_memory == 0 ? 0 : 4 + 8)
            + (facts.hasMeans ? 4 + meansSize : 0) + (facts.state == 0 ? 0 : 4 + 1) + (facts.stalled_ms == 0 ? 0 : 4 + 4)
            + (facts.slashes == 0 ? 0 : 4 + 2) + (facts.idle_cost == 0 ? 0 : 4 + idleSize) + (answering == nil ? 0 : 4 + 16) + (signed ? 4 + 8 + 4 + 8 : 0) + (signed ? 4 + signatureSize : 0)
        guard length <= buffer.count, length <= announcementLimit else { return 0 }
        encodeHeader(facts, length: UInt16(length), into: buffer)
        var end = encodeExtensions(facts, name: name, into: buffer)
        if facts.hasMeans { end = encodeMeans(facts, into: buffer, at: end) }
        if let answering { end = encodeNonce(answering, into: buffer, at: end) }
        if signed {
            encodeTimes(facts, into: buffer, at: end)
            encodeSignatureHead(into: buffer, length: length)
        }
        return length
    }
}

private func encodeHeader(_ facts: bh_facts_t, length: UInt16, into buffer: UnsafeMutableRawBufferPointer) {
    buffer.store(magic, at: Field.magic)
    buffer.store(protocolVersion, at: Field.version)
    buffer.store(UInt8(0), at: Field.kind)
    buffer.store(length, at: Field.length)
    buffer.store(facts.boot_id, at: Field.bootID)
    buffer.store(facts.sequence, at: Field.sequence)
    buffer.store(facts.address.high, at: Field.address)
    buffer.store(facts.address.low, at: Field.address + 8)
    buffer.store(facts.port, at: Field.port)
    buffer.store(UInt16(0), at: Field.reserved)
    buffer.store(facts.arriba, at: Field.arriba)
    buffer.store(facts.load, at: Field.load)
    buffer.store(facts.load_hwm, at: Field.loadHighWaterMark)
    buffer.store(facts.cpu, at: Field.cpu)
    buffer.store(facts.ncpu, at: Field.cpus)
    buffer.store(facts.workers, at: Field.workers)
    buffer.store(facts.idle_workers, at: Field.idleWorkers)
    buffer.store(facts.total_memory, at: Field.totalMemory)
    buffer.store(facts.free_memory, at: Field.freeMemory)
    buffer.store(facts.arrivals, at: Field.arrivals)
}

/// Hostname, the workers' memory, state, whether they stand still, slashes, and what a kept connection costs; returns where they end.
private func encodeExtensions(
    _ facts: bh_facts_t, name: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer
) -> Int {
    var offset = Field.extensions
    buffer.store(Tag.hostname, at: offset)
    buffer.store(UInt16(name.count), at: offset + 2)
    offset += 4
    for byte in name {
        buffer[offset] = isNameByte(byte) ? byte : UInt8(ascii: "-")
        offset += 1
    }
    if facts.worker_memory != 0 {
        buffer.store(Tag.workerMemory, at: offset)
        buffer.store(UInt16(8), at: offset + 2)
        buffer.store(facts.worker_memory, at: offset + 4)
        offset += 4 + 8
    }
    if facts.state != 0 {
        buffer.store(Tag.state, at: offset)
        buffer.store(UInt16(1), at: offset + 2)
        buffer[offset + 4] = facts.state
        offset += 4 + 1
    }
    if facts.stalled_ms != 0 {
        buffer.store(Tag.stalled, at: offset)
        buffer.store(UInt16(4), at: offset + 2)
        buffer.store(facts.stalled_ms, at: offset + 4)
        offset += 4 + 4
    }
    if facts.slashes != 0 {
        buffer.store(Tag.slashes, at: offset)
        buffer.store(UInt16(2), at: offset + 2)
        buffer.store(UInt16(truncatingIfNeeded: facts.slashes), at: offset + 4)
        offset += 4 + 2
    }
    return facts.idle_cost == 0 ? offset : encodeIdle(facts, into: buffer, at: offset)
}

private func encodeIdle(_ facts: bh_facts_t, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    buffer.store(Tag.idle, at: offset)
    buffer.store(UInt16(idleSize), at: offset + 2)
    buffer.store(facts.idle_cost << 24, at: offset + 4)
    buffer.store(facts.keepalive_ms, at: offset + 8)
    buffer.store(facts.keepalive_requests, at: offset + 12)
    buffer.store(facts.kept_workers, at: offset + 16)
    return offset + 4 + idleSize
}

/// In the order of bh_facts_t; returns where they end.
private func encodeMeans(_ facts: bh_facts_t, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    buffer.store(Tag.means, at: offset)
    buffer.store(UInt16(meansSize), at: offset + 2)
    buffer.store(facts.dispatched, at: offset + 4)
    buffer.store(facts.mean_in_flight, at: offset + 12)
    buffer.store(facts.arrival_rate, at: offset + 16)
    buffer.store(facts.first_byte_us, at: offset + 20)
    buffer.store(facts.latency_us, at: offset + 24)
    buffer.store(facts.cpu_used, at: offset + 28)
    buffer.store(facts.capacity, at: offset + 32)
    buffer.store(facts.error_ppm, at: offset + 36)
    return offset + 4 + meansSize
}

extension bh_facts_t {
    fileprivate var hasMeans: Bool {
        dispatched != 0 || mean_in_flight != 0 || arrival_rate != 0 || first_byte_us != 0 || latency_us != 0 || cpu_used != 0
            || capacity != 0 || error_ppm != 0
    }
}

private func encodeNonce(_ nonce: Nonce, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    buffer.store(Tag.nonce, at: offset)
    buffer.store(UInt16(16), at: offset + 2)
    buffer.store(nonce.high, at: offset + 4)
    buffer.store(nonce.low, at: offset + 12)
    return offset + 4 + 16
}

private func encodeTimes(_ facts: bh_facts_t, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
    buffer.store(Tag.time, at: offset)
    buffer.store(UInt16(8), at: offset + 2)
    buffer.store(facts.sent_ms, at: offset + 4)
    buffer.store(Tag.wall, at: offset + 12)
    buffer.store(UInt16(8), at: offset + 14)
    buffer.store(facts.changed_wall, at: offset + 16)
}

/// What stands before the signature of a datagram of this length.
func encodeSignatureHead(into buffer: UnsafeMutableRawBufferPointer, length: Int) {
    buffer.store(Tag.signature, at: length - signatureSize - 4)
    buffer.store(UInt16(signatureSize), at: length - signatureSize - 2)
}
