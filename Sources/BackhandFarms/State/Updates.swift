// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// What updates and orders write. Each word is written at once, and the stamp of a value after the value.

/// When something was changed, and whether another balancer has told it.
struct Change {
    let ms: UInt64
    let isMirrored: Bool
    var stamp: UInt64 { bh_stamp(ms, isMirrored) }

    /// Whether it comes after what is there. What arrives here itself always does.
    func follows(_ before: UInt64) -> Bool { !isMirrored || ms > bh_stamp_ms(before) }
}

/// Sets a switch, unless a later change is there; returns whether it stands elsewhere now.
func turn(_ word: UnsafeMutablePointer<UInt64>, off: Bool, _ change: Change) -> Bool {
    while true {
        let before = bh_word_load(word)
        guard change.follows(before) else { return false }
        if bh_word_swap(word, before, change.stamp | (off ? 1 : 0)) { return bh_switch_is_set(before) != off }
    }
}

/// Writes a value and then its stamp, unless a later one is there.
private func put(
    _ value: UInt64, _ word: UnsafeMutablePointer<UInt64>, _ stamp: UnsafeMutablePointer<UInt64>, _ change: Change
) -> Bool {
    guard change.follows(bh_word_load(stamp)) else { return false }
    bh_word_store(word, value)
    bh_word_store(stamp, change.stamp)
    return true
}

/// Updates the server of a row.
func update(
    _ segment: UnsafeMutablePointer<bh_segment_t>, row id: UInt32, _ update: bh_update_t, _ change: Change
) -> bh_status_t {
    guard let row = segment.server(id) else { return BH_EINVAL }
    let state = bh_segment_state(segment, id)
    let statistics = UnsafeBufferPointer(
        start: update.statistics, count: update.statistics == nil ? 0 : Int(update.statistic_count))
    let wrong = check(update, statistics, state)
    guard wrong == BH_OK else { return wrong }
    for pushed in statistics { write(pushed, to: state, change) }
    let shown = bh_segment_public_mutable(segment, id)
    if update.has(BH_UPDATE_LOAD), put(UInt64(update.load), &state.pointee.load, &state.pointee.load_stamp, change) {
        bh_public_store(&shown.pointee.load, Int32(clamping: update.load))
    }
    if update.has(BH_UPDATE_IDLE), put(UInt64(update.idle), &state.pointee.idle, &state.pointee.idle_stamp, change) {
        bh_public_store(&shown.pointee.cpu, Int32(clamping: update.idle))
    }
    var hasReturned = false
    if update.has(BH_UPDATE_ON) { hasReturned = turn(&state.pointee.off, off: !update.on, change) && update.on }
    if update.has(BH_UPDATE_UP) {
        hasReturned = turn(&state.pointee.down, off: !update.up, change) && update.up || hasReturned
    }
    if update.has(BH_UPDATE_ON) || update.has(BH_UPDATE_UP) { note(BH_STATES_ORDERED, in: segment) }
    if !update.has(BH_UPDATE_IS_ORDER) {
        hasReturned = isOut(state, now: change.ms) || hasReturned
        if change.follows(bh_word_load(&state.pointee.updated)) { bh_word_store(&state.pointee.updated, change.stamp) }
    }
    if !statistics.isEmpty || update.has(BH_UPDATE_LOAD) || update.has(BH_UPDATE_IDLE) {
        note(BH_STATES_PUSHED, in: segment)
    }
    // Back as after a silence: it gets a growing share.
    if hasReturned { bh_word_store(&row.pointee.came_ms, change.ms) }
    return BH_OK
}

/// Updates a farm; false: there is none with the number.
func update(
    _ segment: UnsafeMutablePointer<bh_segment_t>, farm number: UInt32, _ update: bh_update_t, _ change: Change
) -> Bool {
    guard let farm = segment.farm(number) else { return false }
    if update.has(BH_UPDATE_ON) { _ = turn(&farm.pointee.off, off: !update.on, change) }
    if !update.has(BH_UPDATE_IS_ORDER), change.follows(bh_word_load(&farm.pointee.updated)) {
        bh_word_store(&farm.pointee.updated, change.stamp)
    }
    return true
}

extension bh_update_t {
    func has(_ field: bh_update_field_t) -> Bool { fields & field.rawValue != 0 }
}

private func isOut(_ state: UnsafeMutablePointer<bh_member_state_t>, now: UInt64) -> Bool {
    let expected = bh_half_load(&state.pointee.fresh_ms)
    return expected != 0 && silence(state, now: now) > UInt64(expected)
}

// ---- Named statistics ----

func statisticHash(_ name: Word) -> UInt64 { bh_statistic_hash(name.bytes.baseAddress, name.bytes.count) }

private func word(_ piece: bh_piece_t) -> Word? {
    guard let name = Word(piece, most: Int(BH_STATISTIC_NAME_SIZE) - 1), !name.bytes.isEmpty else { return nil }
    return name
}

private func check(
    _ update: bh_update_t, _ statistics: UnsafeBufferPointer<bh_pushed_t>,
    _ state: UnsafeMutablePointer<bh_member_state_t>
) -> bh_status_t {
    if update.has(BH_UPDATE_IDLE), update.idle > 1000 { return BH_EINVAL }
    var more = 0
    for (index, pushed) in statistics.enumerated() {
        guard let name = word(pushed.name) else { return BH_EINVAL }
        let hash = statisticHash(name)
        var isNew = statistic(state, hash) == nil
        for earlier in statistics.prefix(index) where word(earlier.name).map(statisticHash) == hash { isNew = false }
        if isNew { more += 1 }
    }
    var free = 0
    for place in 0..<UInt32(BH_STATISTICS) where bh_word_load(&bh_state_statistic(state, place).pointee.hash) == 0 {
        free += 1
    }
    return more <= free ? BH_OK : BH_ESPACE
}

/// nil: the server has none with this name.
func statistic(
    _ state: UnsafeMutablePointer<bh_member_state_t>, _ hash: UInt64
) -> UnsafeMutablePointer<bh_statistic_t>? {
    for place in 0..<UInt32(BH_STATISTICS) {
        let entry = bh_state_statistic(state, place)
        if bh_word_load(&entry.pointee.hash) == hash { return entry }
    }
    return nil
}

/// Two processes that take the same place for two names: one of them gets the next place.
private func write(_ pushed: bh_pushed_t, to state: UnsafeMutablePointer<bh_member_state_t>, _ change: Change) {
    guard let name = word(pushed.name) else { return }
    let hash = statisticHash(name)
    for place in 0..<UInt32(BH_STATISTICS) {
        let entry = bh_state_statistic(state, place)
        let isHere = bh_word_load(&entry.pointee.hash) == hash
        guard isHere || (statistic(state, hash) == nil && bh_word_swap(&entry.pointee.hash, 0, hash)) else { continue }
        guard change.follows(bh_word_load(&entry.pointee.stamp)) else { return }
        write(name, to: bh_statistic_name(entry), size: Int(BH_STATISTIC_NAME_SIZE))
        bh_signed_word_store(&entry.pointee.thousandths, pushed.thousandths)
        bh_word_store(&entry.pointee.stamp, change.stamp)
        return
    }
}
