// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// The table of farms. httpd's parent writes it for each configuration; children add the members that join.

/// Rows that are in a set.
struct RowSet {
    private var bits = InlineArray<32, UInt64>(repeating: 0)

    /// False if it was there already.
    mutating func insert(_ row: UInt32) -> Bool {
        let (word, bit) = (Int(row >> 6) & 31, UInt64(1) << UInt64(row & 63))
        guard bits[word] & bit == 0 else { return false }
        bits[word] |= bit
        return true
    }

    func contains(_ row: UInt32) -> Bool { bits[Int(row >> 6) & 31] >> UInt64(row & 63) & 1 != 0 }
}

typealias NamedFarms = UnsafeBufferPointer<UnsafeMutablePointer<bh_farm_config_t>>

/// Writes the table, with numbers for the farms. What is named again keeps its state.
func writeFarms(_ segment: UnsafeMutablePointer<bh_segment_t>, _ named: NamedFarms, now: UInt64) {
    let now = max(now, 1)
    for farm in named { farm.pointee.number = findFarm(segment, Word(farm.pointee.name)) }
    forgetFarms(segment, named)
    var rows = RowSet()
    for farm in named {
        if farm.pointee.number == 0 { farm.pointee.number = freeFarm(segment) }
        if farm.pointee.number != 0 {
            write(farm.pointee, to: bh_segment_farm(segment, farm.pointee.number), now: now)
        }
        for place in 0..<Int(farm.pointee.member_count) {
            guard let row = farm.pointee.members?[place].pointee.row, row != 0, row < UInt32(BH_ROWS) else { continue }
            expect(bh_segment_state(segment, row), farm.pointee.expect_s, isFirst: rows.insert(row), now: now)
        }
    }
    forgetMembers(segment, except: rows)
}

/// The number of the farm with this name, whose case does not matter; 0: there is none.
func findFarm(_ segment: UnsafeMutablePointer<bh_segment_t>, _ name: Word) -> UInt32 {
    var number: UInt32 = 1
    while number <= bh_segment_farms(segment) {
        if let farm = segment.farm(number), farm.name.equals(name, ignoringCase: true) { return number }
        number += 1
    }
    return 0
}

private func forgetFarms(_ segment: UnsafeMutablePointer<bh_segment_t>, _ named: NamedFarms) {
    var number: UInt32 = 1
    while number <= bh_segment_farms(segment) {
        var isNamed = false
        for farm in named where farm.pointee.number == number { isNamed = true }
        if !isNamed { forget(bh_segment_farm(segment, number)) }
        number += 1
    }
}

private func forget(_ farm: UnsafeMutablePointer<bh_farm_t>) {
    bh_word_store(&farm.pointee.since_ms, 0)
    bh_half_store(&farm.pointee.members, 0)
    bh_word_store(&farm.pointee.off, 0)
    bh_word_store(&farm.pointee.updated, 0)
}

/// A new one or, if there is none left, one that the configuration does not name any more: children of the last
/// configuration may still ask for that.
private func freeFarm(_ segment: UnsafeMutablePointer<bh_segment_t>) -> UInt32 {
    let used = bh_segment_farms(segment)
    if used < UInt32(BH_FARMS) {
        bh_half_store(&segment.pointee.farms, used + 1)
        return used + 1
    }
    var number: UInt32 = 1
    while number <= used {
        if segment.farm(number) == nil { return number }
        number += 1
    }
    return 0
}

private func write(_ named: bh_farm_config_t, to farm: UnsafeMutablePointer<bh_farm_t>, now: UInt64) {
    bh_half_store(&farm.pointee.members, 0)
    bh_half_store(&farm.pointee.expect_s, named.expect_s)
    write(Word(named.name), to: bh_farm_name(farm), size: Int(BH_FARM_NAME_SIZE))
    var count: UInt32 = 0
    for place in 0..<Int(named.member_count) {
        guard count < UInt32(BH_FARM_MEMBERS), let member = named.members?[place], member.pointee.row != 0 else {
            continue
        }
        let entry = bh_farm_member(farm, count)
        write(Word(member.pointee.name), to: bh_farm_member_text(entry), size: Int(BH_MEMBER_TEXT_SIZE))
        bh_half_store(&entry.pointee.weight, named.weights?[place] ?? 100)
        bh_half_store(&entry.pointee.row, member.pointee.row)
        count += 1
    }
    bh_half_store(&farm.pointee.members, count)
    if !farm.isNamed { bh_word_store(&farm.pointee.since_ms, now) }
}

/// The shortest time of all farms that have the server counts for what is pushed.
private func expect(
    _ state: UnsafeMutablePointer<bh_member_state_t>, _ seconds: UInt32, isFirst: Bool, now: UInt64
) {
    let own = min(seconds, 86_400) * 1000
    let last = bh_half_load(&state.pointee.fresh_ms)
    // A time that is new, or shorter than it was, begins now.
    let isStricter = own != 0 && (last == 0 || own < last)
    if bh_word_load(&state.pointee.since_ms) == 0 || isStricter { bh_word_store(&state.pointee.since_ms, now) }
    let before = isFirst ? 0 : last
    bh_half_store(&state.pointee.fresh_ms, before == 0 || own == 0 ? max(before, own) : min(before, own))
}

/// A server that is heard keeps what was pushed for it.
private func forgetMembers(_ segment: UnsafeMutablePointer<bh_segment_t>, except rows: RowSet) {
    for id in 1..<max(1, bh_segment_rows(segment)) where !rows.contains(id) {
        let state = bh_segment_state(segment, id)
        guard bh_word_load(&state.pointee.since_ms) != 0 else { continue }
        bh_word_store(&state.pointee.since_ms, 0)
        bh_half_store(&state.pointee.fresh_ms, 0)
        if bh_row_heard(bh_segment_row(segment, id)) == 0 { bh_state_forget(segment, id) }
    }
}

/// Lists a server that has joined the farm.
func join(_ segment: UnsafeMutablePointer<bh_segment_t>, farm number: UInt32, row: UInt32, _ text: Word, now: UInt64) {
    guard let farm = segment.farm(number), segment.server(row) != nil else { return }
    let state = bh_segment_state(segment, row)
    if bh_word_swap(&state.pointee.since_ms, 0, max(now, 1)) {
        bh_half_store(&state.pointee.fresh_ms, min(bh_half_load(&farm.pointee.expect_s), 86_400) * 1000)
    }
    var place: UInt32 = 0
    while place < bh_farm_members(farm) {
        let entry = bh_farm_member(farm, place)
        if bh_half_load(&entry.pointee.row) == row {
            if !isListed(segment, entry) { write(text, to: bh_farm_member_text(entry), size: Int(BH_MEMBER_TEXT_SIZE)) }
            return
        }
        place += 1
    }
    guard place < UInt32(BH_FARM_MEMBERS) else { return }
    // Of two children that take the same place, the one that is last writes it; the other one comes again.
    let entry = bh_farm_member(farm, place)
    write(text, to: bh_farm_member_text(entry), size: Int(BH_MEMBER_TEXT_SIZE))
    bh_half_store(&entry.pointee.weight, 100)
    bh_half_store(&entry.pointee.row, row)
    bh_half_store(&farm.pointee.members, place + 1)
}

/// Whether the entry's row still has its server. One that has joined may have left the table.
func isListed(_ segment: UnsafeMutablePointer<bh_segment_t>, _ entry: UnsafeMutablePointer<bh_farm_member_t>) -> Bool {
    guard let row = segment.server(bh_half_load(&entry.pointee.row)) else { return false }
    if bh_row_is_member(row) { return true }
    var facts = bh_facts_t()
    guard bh_row_copy(row, &facts) else { return false }
    return withUnsafePointer(to: facts) {
        segmentText(bh_facts_hostname($0), size: Int(BH_MEMBER_TEXT_SIZE)).equals(entry.text, ignoringCase: true)
    }
}

/// The next row after this one whose server announces this name, whole or up to its first dot; 0: none.
func findServer(_ segment: UnsafeMutablePointer<bh_segment_t>, _ name: Word, after: UInt32) -> UInt32 {
    let rows = bh_segment_rows(segment)
    guard after < rows, !name.bytes.isEmpty else { return 0 }
    for id in (after + 1)..<max(rows, after + 1) where bh_row_heard(bh_segment_row(segment, id)) != 0 {
        var facts = bh_facts_t()
        guard bh_row_copy(bh_segment_row(segment, id), &facts) else { continue }
        let isMeant = withUnsafePointer(to: facts) {
            let whole = segmentText(bh_facts_hostname($0), size: Int(BH_HOSTNAME_SIZE))
            return whole.equals(name, ignoringCase: true)
                || whole.split(at: UInt8(ascii: ".")).head.equals(name, ignoringCase: true)
        }
        if isMeant { return id }
    }
    return 0
}
