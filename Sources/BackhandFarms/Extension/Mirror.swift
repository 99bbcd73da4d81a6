// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// What is ordered and pushed here, as an extension of our announcements: docs/protocol.md draws it. Ages travel, not
// times: no two clocks need to agree. What another balancer has told is not told on.
//
//     tag = 14 | length | records: kind, bytes that follow, its content
//     farm   1   name's length, name, age, off
//     member 2   address, port, then items: what, age, value

/// The tag. BackhandWire skips it, as all that it does not know.
private var mirrorTag: UInt16 { 14 }
private var farmRecord: UInt8 { 1 }
private var memberRecord: UInt8 { 2 }

/// What an item is, and so how long its value is.
private enum Item: UInt8 {
    case off = 1, down, updated, load, idle, statistic
}

/// Where the next datagram goes on: all that does not fit into one comes with the next ones. The moderator's alone.
private nonisolated(unsafe) var mirrored = MirrorPlace()

private struct MirrorPlace {
    /// The farm, and then the row, that comes next.
    var farm: UInt32 = 1
    var row: UInt32 = 1
    /// The time of the last announcement; what was changed since then goes first.
    var told: UInt64 = 0
    /// The same for the one before: several destinations get the same.
    var before = (farm: UInt32(1), row: UInt32(1), told: UInt64(0))
}

/// Adds the extension to a datagram that ends with the tag of its signature and room for it; returns its length.
func addMirror(
    _ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64, to datagram: UnsafeMutableRawPointer, _ length: Int,
    _ size: Int
) -> Int {
    let signature = Int(BH_SIGNATURE_SIZE) + 4
    guard length >= 96 + signature, length <= size else { return length }
    let count = writeMirror(segment, now: now, into: datagram + (length - signature), size - length)
    guard count > 0 else { return length }
    let whole = length + count
    datagram.storeBytes(of: UInt16(whole).bigEndian, toByteOffset: 6, as: UInt16.self)
    let head = UInt32(3) << 16 | UInt32(BH_SIGNATURE_SIZE)
    withUnsafeBytes(of: head.bigEndian) {
        (datagram + (whole - signature)).copyMemory(from: $0.baseAddress!, byteCount: 4)
    }
    return whole
}

/// Writes the extension; returns its bytes, 0 if there is nothing to tell.
func writeMirror(
    _ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64, into bytes: UnsafeMutableRawPointer, _ size: Int
) -> Int {
    guard size > 64, bh_half_load(&segment.pointee.states) != 0 || bh_segment_farms(segment) != 0 else { return 0 }
    if now == mirrored.told {
        (mirrored.farm, mirrored.row) = (mirrored.before.farm, mirrored.before.row)
    } else {
        mirrored.before = (mirrored.farm, mirrored.row, mirrored.told)
        mirrored.told = now
    }
    var writer = MirrorWriter(bytes: bytes, most: min(size, 4 + 0xffff), now: now)
    let since = mirrored.before.told
    for number in 1..<(bh_segment_farms(segment) + 1) { _ = writer.farm(segment, number, since: since) }
    for row in 1..<max(1, bh_segment_rows(segment)) { _ = writer.member(segment, row, since: since) }
    var steps = bh_segment_farms(segment)
    while steps > 0, writer.farm(segment, mirrored.farm, since: 0) {
        mirrored.farm = mirrored.farm >= bh_segment_farms(segment) ? 1 : mirrored.farm + 1
        steps -= 1
    }
    steps = bh_segment_rows(segment)
    while steps > 0, writer.member(segment, mirrored.row, since: 0) {
        mirrored.row = mirrored.row + 1 >= bh_segment_rows(segment) ? 1 : mirrored.row + 1
        steps -= 1
    }
    return writer.end()
}

private struct MirrorWriter {
    let bytes: UnsafeMutableRawPointer
    let most: Int
    let now: UInt64
    private var length = 4

    init(bytes: UnsafeMutableRawPointer, most: Int, now: UInt64) {
        (self.bytes, self.most, self.now) = (bytes, most, now)
    }

    /// Writes what was changed after a time; false: there is no room for it.
    mutating func farm(_ segment: UnsafeMutablePointer<bh_segment_t>, _ number: UInt32, since: UInt64) -> Bool {
        guard let farm = segment.farm(number) else { return true }
        let off = bh_word_load(&farm.pointee.off)
        guard tells(off, since: since) else { return true }
        let name = farm.name
        guard most - length >= 8 + name.bytes.count else { return false }
        put(UInt64(farmRecord), 1)
        put(UInt64(name.bytes.count + 6), 2)
        put(UInt64(name.bytes.count), 1)
        put(name)
        put(age(off), 4)
        put(off & 1, 1)
        return true
    }

    /// The same for the server of a row.
    mutating func member(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, since: UInt64) -> Bool {
        guard let row = segment.server(id) else { return true }
        let state = bh_segment_state(segment, id)
        let newest = bh_stamp_ms(newestStamp(of: state))
        // Pages of servers without a state are not touched more than once.
        guard newest != 0, newest >= since else { return true }
        var facts = bh_facts_t()
        guard bh_row_copy(row, &facts), most - length >= 32 else { return most - length >= 32 }
        let start = length
        put(UInt64(memberRecord), 1)
        put(0, 2)
        put(facts.address.high, 8)
        put(facts.address.low, 8)
        put(UInt64(facts.port), 2)
        let empty = length
        guard items(of: state, since: since) else {
            length = start
            return false
        }
        if length == empty { length = start } else { set(UInt64(length - start - 3), 2, at: start + 1) }
        return true
    }

    /// False: there is no room for all of them.
    private mutating func items(of state: UnsafeMutablePointer<bh_member_state_t>, since: UInt64) -> Bool {
        let off = bh_word_load(&state.pointee.off)
        let down = bh_word_load(&state.pointee.down)
        let load = bh_word_load(&state.pointee.load_stamp)
        let idle = bh_word_load(&state.pointee.idle_stamp)
        let isWhole =
            item(.off, off, off & 1, 1, since: since) && item(.down, down, down & 1, 1, since: since)
            && item(.updated, bh_word_load(&state.pointee.updated), 0, 0, since: since)
            && item(.load, load, bh_word_load(&state.pointee.load), 4, since: since)
            && item(.idle, idle, bh_word_load(&state.pointee.idle), 4, since: since)
        guard isWhole else { return false }
        for place in 0..<UInt32(BH_STATISTICS) {
            let entry = bh_state_statistic(state, place)
            let stamp = bh_word_load(&entry.pointee.stamp)
            guard tells(stamp, since: since), bh_state_is_fresh(state, stamp, now) else { continue }
            let name = segmentText(bh_statistic_name(entry), size: Int(BH_STATISTIC_NAME_SIZE))
            guard most - length >= 14 + name.bytes.count else { return false }
            put(UInt64(Item.statistic.rawValue), 1)
            put(age(stamp), 4)
            put(UInt64(bitPattern: bh_signed_word_load(&entry.pointee.thousandths)), 8)
            put(UInt64(name.bytes.count), 1)
            put(name)
        }
        return true
    }

    private mutating func item(_ what: Item, _ stamp: UInt64, _ value: UInt64, _ size: Int, since: UInt64) -> Bool {
        guard tells(stamp, since: since) else { return true }
        guard most - length >= 5 + size else { return false }
        put(UInt64(what.rawValue), 1)
        put(age(stamp), 4)
        put(value, size)
        return true
    }

    /// Whether it is ours, and was changed then or later.
    private func tells(_ stamp: UInt64, since: UInt64) -> Bool {
        stamp != 0 && !bh_stamp_is_mirrored(stamp) && bh_stamp_ms(stamp) >= since
    }

    private func age(_ stamp: UInt64) -> UInt64 {
        now > bh_stamp_ms(stamp) ? min(now - bh_stamp_ms(stamp), 0xffff_ffff) : 0
    }

    private mutating func put(_ text: Word) {
        for byte in text.bytes { put(UInt64(byte), 1) }
    }

    @inline(never)
    private mutating func put(_ value: UInt64, _ size: Int) {
        set(value, size, at: length)
        length += size
    }

    private func set(_ value: UInt64, _ size: Int, at place: Int) {
        for index in 0..<size {
            bytes.storeBytes(
                of: UInt8(truncatingIfNeeded: value >> UInt64(8 * (size - 1 - index))), toByteOffset: place + index,
                as: UInt8.self)
        }
    }

    /// Tag and length, which stand first. Returns all bytes; 0: there is nothing.
    func end() -> Int {
        guard length > 4 else { return 0 }
        set(UInt64(mirrorTag), 2, at: 0)
        set(UInt64(length - 4), 2, at: 2)
        return length
    }
}

/// The latest of all its changes.
private func newestStamp(of state: UnsafeMutablePointer<bh_member_state_t>) -> UInt64 {
    var newest = max(bh_word_load(&state.pointee.off), bh_word_load(&state.pointee.down))
    newest = max(newest, bh_word_load(&state.pointee.updated))
    newest = max(newest, bh_word_load(&state.pointee.load_stamp), bh_word_load(&state.pointee.idle_stamp))
    return newest
}

// ---- What others send ----

/// Bytes that others have sent, from the first to the last.
private struct MirrorReader {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { place >= bytes.count }

    @inline(never)
    mutating func number(_ size: Int) -> UInt64? {
        guard bytes.count - place >= size else { return nil }
        var value: UInt64 = 0
        for index in place..<place + size { value = value << 8 | UInt64(bytes[index]) }
        place += size
        return value
    }

    @inline(never)
    mutating func piece(_ size: UInt64) -> UnsafeRawBufferPointer? {
        guard size <= UInt64(bytes.count - place) else { return nil }
        let piece = UnsafeRawBufferPointer(rebasing: bytes[place..<place + Int(size)])
        place += Int(size)
        return piece
    }
}

/// Takes over what the extension of an accepted announcement tells, as far as it is newer.
func readMirror(_ segment: UnsafeMutablePointer<bh_segment_t>, _ datagram: UnsafeRawBufferPointer, now: UInt64) {
    // The header has been looked at already.
    var reader = MirrorReader(datagram)
    guard reader.piece(96) != nil else { return }
    while let tag = reader.number(2), let length = reader.number(2), let value = reader.piece(length) {
        guard tag == UInt64(mirrorTag) else { continue }
        var records = MirrorReader(value)
        while let kind = records.number(1), let size = records.number(2), let content = records.piece(size) {
            // Kinds of later programs tell us nothing.
            if kind == UInt64(farmRecord) { readFarm(segment, MirrorReader(content), now: now) }
            if kind == UInt64(memberRecord) { readMember(segment, MirrorReader(content), now: now) }
        }
    }
}

private func change(_ age: UInt64, _ now: UInt64) -> Change { Change(ms: now > age ? now - age : 1, isMirrored: true) }

private func readFarm(_ segment: UnsafeMutablePointer<bh_segment_t>, _ content: MirrorReader, now: UInt64) {
    var content = content
    guard let length = content.number(1), let name = content.piece(length), let age = content.number(4),
        let off = content.number(1)
    else { return }
    var order = bh_update_t()
    (order.fields, order.on) = (BH_UPDATE_ON.rawValue | BH_UPDATE_IS_ORDER.rawValue, off == 0)
    let number = findFarm(segment, Word(name.bindMemory(to: UInt8.self)))
    if number != 0 { _ = update(segment, farm: number, order, change(age, now)) }
}

private func readMember(_ segment: UnsafeMutablePointer<bh_segment_t>, _ content: MirrorReader, now: UInt64) {
    var content = content
    guard let high = content.number(8), let low = content.number(8), let port = content.number(2) else { return }
    let row = findRow(segment, bh_address_t(high: high, low: low), UInt16(port))
    guard row != 0 else { return }
    while !content.isAtEnd {
        guard let item = content.number(1).flatMap({ Item(rawValue: UInt8($0)) }), let age = content.number(4) else {
            return
        }
        guard readItem(item, &content, segment, row, change(age, now)) else { return }
    }
}

private func readItem(
    _ item: Item, _ content: inout MirrorReader, _ segment: UnsafeMutablePointer<bh_segment_t>, _ row: UInt32,
    _ change: Change
) -> Bool {
    let sizes: InlineArray<7, Int> = [0, 1, 1, 0, 4, 4, 8]
    guard let value = content.number(sizes[Int(item.rawValue)]) else { return false }
    var told = bh_update_t()
    switch item {
    case .off: (told.fields, told.on) = (BH_UPDATE_ON.rawValue, value == 0)
    case .down: (told.fields, told.up) = (BH_UPDATE_UP.rawValue, value == 0)
    case .load: (told.fields, told.load) = (BH_UPDATE_LOAD.rawValue, UInt32(truncatingIfNeeded: value))
    case .idle: (told.fields, told.idle) = (BH_UPDATE_IDLE.rawValue, UInt32(truncatingIfNeeded: min(value, 1000)))
    case .updated:
        _ = update(segment, row: row, told, change)
        return true
    case .statistic:
        guard let length = content.number(1), let name = content.piece(length) else { return false }
        let word = Word(name.bindMemory(to: UInt8.self))
        guard word.isName else { return true }
        var pushed = bh_pushed_t(name: word.crossing, thousandths: Int64(bitPattern: value))
        told.fields = BH_UPDATE_IS_ORDER.rawValue
        withUnsafePointer(to: &pushed) {
            (told.statistics, told.statistic_count) = ($0, 1)
            _ = update(segment, row: row, told, change)
        }
        return true
    }
    told.fields |= BH_UPDATE_IS_ORDER.rawValue
    _ = update(segment, row: row, told, change)
    return true
}

/// The row of the server at the place; 0: the table has none.
private func findRow(_ segment: UnsafeMutablePointer<bh_segment_t>, _ address: bh_address_t, _ port: UInt16) -> UInt32 {
    for id in 1..<max(1, bh_segment_rows(segment)) where segment.server(id) != nil {
        var facts = bh_facts_t()
        guard bh_row_copy(bh_segment_row(segment, id), &facts), facts.port == port,
            facts.address.high == address.high, facts.address.low == address.low
        else { continue }
        return id
    }
    return 0
}
