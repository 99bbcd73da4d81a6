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
        let length =
            Field.extensions + 4 + name.count + (facts.worker_memory == 0 ? 0 : 4 + 8)
            + (facts.hasMeans ? 4 + meansSize : 0) + (facts.state == 0 ? 0 : 4 + 1)
            + (facts.stalled_ms == 0 ? 0 : 4 + 4)
            + (facts.slashes == 0 ? 0 : 4 + 2) + (facts.idle_cost == 0 ? 0 : 4 + idleSize)
            + facts.serviceSize
            + (answering == nil ? 0 : 4 + 16) + (signed ? 4 + 8 + 4 + 8 : 0) + (signed ? 4 + signatureSize : 0)
        guard length <= buffer.count, length <= announcementLimit else { return 0 }
        encodeHeader(facts, length: UInt16(length), into: buffer)
        var end = encodeExtensions(facts, name: name, into: buffer)
        if facts.hasMeans { end = encodeMeans(facts, into: buffer, at: end) }
        end = encodeService(facts, into: buffer, at: end)
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

/// Hostname, the workers' memory, state, whether they stand still, slashes, and what a kept connection costs; returns
/// where they end.
private func encodeExtensions(
    _ facts: bh_facts_t, name: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer
) -> Int {
    var offset = encodeHead(Tag.hostname, size: name.count, into: buffer, at: Field.extensions)
    for byte in name {
        buffer[offset] = isNameByte(byte) ? byte : UInt8(ascii: "-")
        offset += 1
    }
    offset = encodeNumber(facts.worker_memory, tagged: Tag.workerMemory, size: 8, into: buffer, at: offset)
    offset = encodeNumber(UInt64(facts.state), tagged: Tag.state, size: 1, into: buffer, at: offset)
    offset = encodeNumber(UInt64(facts.stalled_ms), tagged: Tag.stalled, size: 4, into: buffer, at: offset)
    offset = encodeNumber(UInt64(facts.slashes), tagged: Tag.slashes, size: 2, into: buffer, at: offset)
    return facts.idle_cost == 0 ? offset : encodeIdle(facts, into: buffer, at: offset)
}

/// An extension that is one number, unless that is 0; returns where it ends.
private func encodeNumber(
    _ number: UInt64, tagged tag: UInt16, size: Int, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
) -> Int {
    guard number != 0 else { return offset }
    let value = encodeHead(tag, size: size, into: buffer, at: offset)
    for place in 0..<size {
        buffer[value + place] = UInt8(truncatingIfNeeded: number >> UInt64(8 * (size - 1 - place)))
    }
    return value + size
}

/// An extension's tag and size; returns where its value begins.
private func encodeHead(_ tag: UInt16, size: Int, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    buffer.store(tag, at: offset)
    buffer.store(UInt16(size), at: offset + 2)
    return offset + 4
}

private func encodeIdle(_ facts: bh_facts_t, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    let value = encodeHead(Tag.idle, size: idleSize, into: buffer, at: offset)
    buffer.store(facts.idle_cost << 24, at: value)
    buffer.store(facts.keepalive_ms, at: value + 4)
    buffer.store(facts.keepalive_requests, at: value + 8)
    buffer.store(facts.kept_workers, at: value + 12)
    return value + idleSize
}

/// In the order of bh_facts_t; returns where they end.
private func encodeMeans(_ facts: bh_facts_t, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    let value = encodeHead(Tag.means, size: meansSize, into: buffer, at: offset)
    buffer.store(facts.dispatched, at: value)
    buffer.store(facts.mean_in_flight, at: value + 8)
    buffer.store(facts.arrival_rate, at: value + 12)
    buffer.store(facts.first_byte_us, at: value + 16)
    buffer.store(facts.latency_us, at: value + 20)
    buffer.store(facts.cpu_used, at: value + 24)
    buffer.store(facts.capacity, at: value + 28)
    buffer.store(facts.error_ppm, at: value + 32)
    return value + meansSize
}

/// What is known of the application without its help, and of its checks; returns where it ends.
private func encodeService(_ facts: bh_facts_t, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    var end = offset
    if facts.counts_connections != 0 {
        let value = encodeHead(Tag.connections, size: connectionsSize, into: buffer, at: end)
        buffer.store(facts.connections, at: value)
        buffer.store(facts.listen_queue, at: value + 4)
        end = value + connectionsSize
    }
    guard facts.check != 0 else { return end }
    let length = facts.checkNameLength
    let value = encodeHead(Tag.check, size: checkSize + length, into: buffer, at: end)
    buffer[value] = facts.check & BH_CHECK_FAILING == 0 ? 0 : 1
    buffer[value + 1] = UInt8(truncatingIfNeeded: facts.check)
    buffer.store(UInt16(truncatingIfNeeded: facts.check >> 16), at: value + 2)
    withUnsafeBytes(of: facts.check_name) { room in
        for place in 0..<length { buffer[value + checkSize + place] = room[place] }
    }
    return value + checkSize + length
}

extension bh_facts_t {
    /// Bytes of what encodeService writes.
    fileprivate var serviceSize: Int {
        (counts_connections == 0 ? 0 : 4 + connectionsSize) + (check == 0 ? 0 : 4 + checkSize + checkNameLength)
    }

    fileprivate var checkNameLength: Int {
        withUnsafeBytes(of: check_name) { $0.prefix(Int(BH_CHECK_NAME_SIZE) - 1).prefix { $0 != 0 }.count }
    }

    fileprivate var hasMeans: Bool {
        dispatched != 0 || mean_in_flight != 0 || arrival_rate != 0 || first_byte_us != 0 || latency_us != 0
            || (cpu_used != 0 && cpu_used != BH_CPU_UNKNOWN) || capacity != 0 || error_ppm != 0
    }
}

private func encodeNonce(_ nonce: Nonce, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    let value = encodeHead(Tag.nonce, size: 16, into: buffer, at: offset)
    buffer.store(nonce.high, at: value)
    buffer.store(nonce.low, at: value + 8)
    return value + 16
}

private func encodeTimes(_ facts: bh_facts_t, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
    let sent = encodeHead(Tag.time, size: 8, into: buffer, at: offset)
    buffer.store(facts.sent_ms, at: sent)
    let wall = encodeHead(Tag.wall, size: 8, into: buffer, at: sent + 8)
    buffer.store(facts.changed_wall, at: wall)
}

/// What stands before the signature of a datagram of this length.
func encodeSignatureHead(into buffer: UnsafeMutableRawBufferPointer, length: Int) {
    _ = encodeHead(Tag.signature, size: signatureSize, into: buffer, at: length - signatureSize - 4)
}
