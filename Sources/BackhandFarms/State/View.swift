// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// All that is known of farms and members, by the codes of farms.h: for the engine's URLs, the status page and
// backhandctl.

extension bh_view_t {
    /// The segment's words; nil: nothing is known.
    var words: UnsafeMutablePointer<bh_segment_t>? { segment?.words }
    /// The table's entry of the member; nil: it has none, because the farm has more members than are listed.
    var entry: UnsafeMutablePointer<bh_farm_member_t>? {
        guard let words, let listed = words.farm(farm) else { return nil }
        for place in 0..<bh_farm_members(listed) {
            let entry = bh_farm_member(listed, place)
            if bh_half_load(&entry.pointee.row) == row { return entry }
        }
        return nil
    }
}

/// The value of a code; nil: it is not known, or lines of this kind do not have it.
func value(of code: bh_ath_code_t, _ name: bh_piece_t, in view: bh_view_t) -> bh_ath_value_t? {
    if code == BH_ATH_CODE_FARM {
        return view.words?.farm(view.farm).map { text($0.name) }
    }
    if code == BH_ATH_CODE_REASON { return reason(in: view) }
    return view.row != 0 || view.text.start != nil
        ? memberValue(of: code, name, in: view) : sum(of: code, in: view).map { number($0) }
}

func number(_ value: some BinaryInteger) -> bh_ath_value_t {
    bh_ath_value_t(number: Int64(clamping: value), text: bh_piece_t())
}

func text(_ word: Word) -> bh_ath_value_t { bh_ath_value_t(number: 0, text: word.crossing) }

private func reason(in view: bh_view_t) -> bh_ath_value_t? {
    guard let words = view.words else { return nil }
    var writer = LineWriter(view.room, Int(BH_VIEW_ROOM), reserved: 1)
    if view.is_chosen {
        let able = sum(of: BH_ATH_CODE_ABLE, in: view) ?? 0
        if able > 1 { writer.add("best of ") } else { writer.add("the only one of ") }
        writer.add(UInt64(able > 1 ? able : sum(of: BH_ATH_CODE_MEMBERS, in: view) ?? 1))
        // As the last resort, or because nothing better is left.
        let end = writer
        writer.add(": ")
        let begin = writer.length
        writer.add(reasonAgainst: view.row, farm: view.farm, words, now: view.now_ms)
        if writer.length == begin { writer = end }
    } else {
        writer.add(reasonAgainst: view.row, farm: view.farm, words, now: view.now_ms)
    }
    writer.end()
    return bh_ath_value_t(
        number: 0, text: bh_piece_t(start: view.room.map { UnsafePointer($0) }, length: writer.length))
}

// ---- Members ----

private func memberValue(of code: bh_ath_code_t, _ name: bh_piece_t, in view: bh_view_t) -> bh_ath_value_t? {
    switch code {
    case BH_ATH_CODE_HOST: return view.text.start != nil ? text(shown(view)) : view.entry.map { text($0.text) }
    case BH_ATH_CODE_PORT: return number(port(of: shown(view)))
    case BH_ATH_CODE_WEIGHT:
        let weight = view.weight != 0 ? view.weight : view.entry.map { bh_half_load(&$0.pointee.weight) }
        return weight.map { number($0 &* 10) }
    default: break
    }
    guard let words = view.words, let row = words.server(view.row) else { return nil }
    return stateValue(of: code, name, in: view, words)
        ?? feedbackValue(of: code, row, words, view).map { number($0) }
}

private func shown(_ view: bh_view_t) -> Word {
    if let text = Word(view.text, most: Int(BH_ATH_NAME_MOST)), view.text.start != nil { return text }
    return view.entry?.text ?? Word(("" as StaticString).bytes)
}

/// "app01:8080", "[::1]:80"; 0: none is written.
private func port(of text: Word) -> UInt64 {
    let bytes = text.bytes
    guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), bytes.lastIndex(of: UInt8(ascii: "]")) ?? -1 < colon
    else { return 0 }
    return text.dropping(colon + 1).number(in: 1...65535) ?? 0
}

private func stateValue(
    of code: bh_ath_code_t, _ name: bh_piece_t, in view: bh_view_t, _ words: UnsafeMutablePointer<bh_segment_t>
) -> bh_ath_value_t? {
    let state = bh_segment_state(words, view.row)
    switch code {
    case BH_ATH_CODE_ON: return number(bh_switch_is_set(bh_word_load(&state.pointee.off)) ? 0 : 1)
    case BH_ATH_CODE_UP: return number(bh_switch_is_set(bh_word_load(&state.pointee.down)) ? 0 : 1)
    case BH_ATH_CODE_IN:
        let expected = UInt64(words.farm(view.farm).map { bh_half_load(&$0.pointee.expect_s) } ?? 0) * 1000
        return number(expected == 0 || silence(state, now: view.now_ms) <= expected ? 1 : 0)
    case BH_ATH_CODE_LOAD:
        let pushed = Pushed(state, now: view.now_ms).load
        return (pushed ?? announced(view, words) { bh_public_load(&$0.pointee.load) }).map { number($0) }
    case BH_ATH_CODE_IDLE:
        let pushed = Pushed(state, now: view.now_ms).idle
        return (pushed ?? announced(view, words) { min(bh_public_load(&$0.pointee.cpu), 1000) }).map { number($0) }
    case BH_ATH_CODE_STATISTIC:
        guard let name = Word(name, most: Int(BH_ATH_NAME_MOST)), let entry = statistic(state, statisticHash(name)),
            bh_state_is_fresh(state, bh_word_load(&entry.pointee.stamp), view.now_ms)
        else { return nil }
        return number(bh_signed_word_load(&entry.pointee.thousandths))
    case BH_ATH_CODE_AGE: return age(bh_word_load(&state.pointee.updated), view.now_ms).map { number($0) }
    default: return nil
    }
}

/// What a server that is heard has announced.
private func announced(
    _ view: bh_view_t, _ words: UnsafeMutablePointer<bh_segment_t>,
    _ field: (UnsafeMutablePointer<serverstat>) -> Int32
) -> UInt64? {
    guard bh_row_heard(bh_segment_row(words, view.row)) != 0 else { return nil }
    return UInt64(clamping: field(bh_segment_public_mutable(words, view.row)))
}

/// Seconds; nil: never.
private func age(_ stamp: UInt64, _ now: UInt64) -> UInt64? {
    guard stamp != 0 else { return nil }
    return now > bh_stamp_ms(stamp) ? (now - bh_stamp_ms(stamp)) / 1000 : 0
}

private func feedbackValue(
    of code: bh_ath_code_t, _ row: UnsafeMutablePointer<bh_row_t>, _ words: UnsafeMutablePointer<bh_segment_t>,
    _ view: bh_view_t
) -> UInt64? {
    switch code {
    case BH_ATH_CODE_IN_FLIGHT:
        let answered = answers(words, row: view.row, now: view.now_ms)
        return UInt64(bh_half_load(&row.pointee.in_flight)) + UInt64((answered + 500) / 1000)
    case BH_ATH_CODE_DELAY:
        let mean = bh_row_mean_us(row)
        return mean == 0 ? nil : mean
    case BH_ATH_CODE_SERVED: return bh_word_load(&row.pointee.served)
    case BH_ATH_CODE_FAILED: return bh_word_load(&row.pointee.failed)
    case BH_ATH_CODE_BACKOFF: return bh_backoff_left(bh_row_backoff(row), view.now_ms)
    default: return nil
    }
}

// ---- Farms, and all of them ----

/// The next place of a member that is in the table: a farm, and an entry of its list.
struct MemberPlace {
    var farm: UInt32 = 1
    var entry: UInt32 = 0

    /// The member that is here or after here; nil: there is none. Afterwards the place is behind it.
    ///
    /// - Parameter only: the farm whose members count; 0: all farms'.
    mutating func next(
        _ segment: UnsafeMutablePointer<bh_segment_t>, only: UInt32
    ) -> (farm: UInt32, entry: UnsafeMutablePointer<bh_farm_member_t>)? {
        if only != 0, farm < only { (farm, entry) = (only, 0) }
        while farm <= (only == 0 ? bh_segment_farms(segment) : only) {
            if let listed = segment.farm(farm) {
                while entry < bh_farm_members(listed) {
                    let found = bh_farm_member(listed, entry)
                    entry += 1
                    if isListed(segment, found) { return (farm, found) }
                }
            }
            (farm, entry) = (farm + 1, 0)
        }
        return nil
    }
}

private func sum(of code: bh_ath_code_t, in view: bh_view_t) -> UInt64? {
    guard let words = view.words else { return nil }
    let listed = words.farm(view.farm)
    if view.farm != 0, listed == nil { return nil }
    switch code {
    case BH_ATH_CODE_ON:
        guard let listed else { return view.engine_off ? 0 : 1 }
        return bh_switch_is_set(bh_word_load(&listed.pointee.off)) ? 0 : 1
    case BH_ATH_CODE_AGE: return listed.flatMap { age(bh_word_load(&$0.pointee.updated), view.now_ms) }
    case BH_ATH_CODE_ABLE, BH_ATH_CODE_MEMBERS, BH_ATH_CODE_IN_FLIGHT, BH_ATH_CODE_SERVED, BH_ATH_CODE_FAILED: break
    default: return nil
    }
    var (total, place, seen) = (UInt64(0), MemberPlace(), RowSet())
    while let (farm, entry) = place.next(words, only: view.farm) {
        let row = bh_half_load(&entry.pointee.row)
        switch code {
        case BH_ATH_CODE_MEMBERS: total += 1
        case BH_ATH_CODE_ABLE: total += isAble(words, farm: farm, row: row, now: view.now_ms) ? 1 : 0
        default:
            // Requests of a server that several farms have are counted once.
            guard seen.insert(row), let server = words.server(row) else { continue }
            var own = view
            own.row = row
            total &+= feedbackValue(of: code, server, words, own) ?? 0
        }
    }
    return total
}
