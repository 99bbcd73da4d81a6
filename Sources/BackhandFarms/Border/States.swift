// Licensed under the Apache License, Version 2.0; see LICENSE.

// The calls of states.h.

internal import BackhandText
public import CBackhand

@c @implementation
public func bh_farms_write(
    _ segment: UnsafeMutablePointer<bh_segment_t>?, _ farms: UnsafePointer<UnsafeMutablePointer<bh_farm_config_t>>?,
    _ count: UInt32, _ now: UInt64
) {
    guard let segment, farms != nil || count == 0 else { return }
    writeFarms(segment, UnsafeBufferPointer(start: farms, count: Int(count)), now: now)
}

@c @implementation
public func bh_farm_find(_ segment: UnsafePointer<bh_segment_t>?, _ name: bh_piece_t) -> UInt32 {
    guard let segment, let name = Word(name, most: Int(BH_FARM_NAME_SIZE)) else { return 0 }
    return findFarm(segment.words, name)
}

@c @implementation
public func bh_farm_join(
    _ segment: UnsafeMutablePointer<bh_segment_t>?, _ farm: UInt32, _ row: UInt32, _ text: bh_piece_t, _ now: UInt64
) {
    guard let segment, let text = Word(text, most: Int(BH_ATH_NAME_MOST)) else { return }
    join(segment, farm: farm, row: row, text, now: now)
}

@c @implementation
public func bh_server_find(_ segment: UnsafePointer<bh_segment_t>?, _ name: bh_piece_t, _ after: UInt32) -> UInt32 {
    guard let segment, let name = Word(name, most: Int(BH_ATH_NAME_MOST)) else { return 0 }
    return findServer(segment.words, name, after: after)
}

@c @implementation
public func bh_member_standing(
    _ segment: UnsafePointer<bh_segment_t>?, _ farm: UInt32, _ row: UInt32, _ now: UInt64
) -> bh_standing_t {
    guard let segment else { return BH_STANDING_ABLE }
    return standing(segment.words, farm: farm, row: row, now: now)
}

@c @implementation
public func bh_farm_select(
    _ segment: UnsafePointer<bh_segment_t>?, _ farm: UInt32, _ now: UInt64,
    _ members: UnsafeMutablePointer<bh_member_t>?,
    _ places: UnsafeMutablePointer<UInt32>?, _ count: UInt32
) -> UInt32 {
    guard let members else { return 0 }
    guard let segment else {
        for place in 0..<Int(count) { places?[place] = UInt32(place) }
        return count
    }
    return UInt32(
        select(
            segment.words, farm: farm, UnsafeMutableBufferPointer(start: members, count: Int(count)), places: places,
            now: now))
}

@c @implementation
public func bh_member_update(
    _ segment: UnsafeMutablePointer<bh_segment_t>?, _ row: UInt32, _ given: UnsafePointer<bh_update_t>?, _ now: UInt64
) -> bh_status_t {
    guard let segment, let given else { return BH_EINVAL }
    return update(segment, row: row, given.pointee, Change(ms: now, isMirrored: false))
}

@c @implementation
public func bh_farm_update(
    _ segment: UnsafeMutablePointer<bh_segment_t>?, _ farm: UInt32, _ given: UnsafePointer<bh_update_t>?, _ now: UInt64
) -> bh_status_t {
    guard let segment, let given else { return BH_EINVAL }
    return update(segment, farm: farm, given.pointee, Change(ms: now, isMirrored: false)) ? BH_OK : BH_EINVAL
}

@c @implementation
public func bh_answer_count(_ segment: UnsafeMutablePointer<bh_segment_t>?, _ row: UInt32, _ now: UInt64) {
    guard let segment, segment.server(row) != nil else { return }
    countAnswer(segment, row: row, now: now)
}

@c @implementation
public func bh_answers_in_flight(_ segment: UnsafePointer<bh_segment_t>?, _ row: UInt32, _ now: UInt64) -> UInt32 {
    guard let segment, segment.words.server(row) != nil else { return 0 }
    return UInt32(answers(segment.words, row: row, now: now))
}

@c @implementation
public func bh_view_value(
    _ view: UnsafeRawPointer?, _ code: bh_ath_code_t, _ name: bh_piece_t, _ found: UnsafeMutablePointer<bh_ath_value_t>
) -> Bool {
    guard let view, let value = value(of: code, name, in: view.assumingMemoryBound(to: bh_view_t.self).pointee) else {
        return false
    }
    found.pointee = value
    return true
}

@c @implementation
public func bh_view_member(_ view: UnsafeMutablePointer<bh_view_t>?, _ farm: UInt32, _ index: UInt32) -> Bool {
    guard let view, let words = view.pointee.words else { return false }
    var (place, left) = (MemberPlace(), index)
    while let found = place.next(words, only: farm) {
        guard left == 0 else {
            left -= 1
            continue
        }
        view.pointee.farm = found.farm
        view.pointee.row = bh_half_load(&found.entry.pointee.row)
        view.pointee.weight = bh_half_load(&found.entry.pointee.weight)
        view.pointee.text = found.entry.text.crossing
        return true
    }
    return false
}

@c @implementation
public func bh_view_farm(_ view: UnsafeMutablePointer<bh_view_t>?, _ index: UInt32) -> Bool {
    guard let view, let words = view.pointee.words else { return false }
    var (number, left) = (UInt32(1), index)
    while number <= bh_segment_farms(words) {
        defer { number += 1 }
        guard words.farm(number) != nil else { continue }
        guard left == 0 else {
            left -= 1
            continue
        }
        (view.pointee.farm, view.pointee.row, view.pointee.text) = (number, 0, bh_piece_t())
        return true
    }
    return false
}
