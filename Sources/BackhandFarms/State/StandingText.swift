// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText
internal import CBackhand

// Why a member gets no requests, or fewer, in one column: states first, because they count whatever this httpd sees,
// and then what the status page says of its server.

extension LineWriter {
    /// Nothing if nothing speaks against the member.
    mutating func add(
        reasonAgainst row: UInt32, farm: UInt32, _ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64
    ) {
        switch standing(segment, farm: farm, row: row, now: now) {
        case BH_STANDING_FARM_OFF: add("farm off")
        case BH_STANDING_OFF: add("off")
        case BH_STANDING_DOWN: add("down")
        case BH_STANDING_OUT:
            add("out ")
            add(silence(bh_segment_state(segment, row), now: now) / 1000)
            add(" s")
        default:
            guard segment.server(row) != nil else { return }
            var text = Message()
            let longest = longestPresence(segment, farm: farm, now: now)
            text.add(reasonAgainst: row, UnsafePointer(segment), longest: longest, now: now)
            for byte in text.bytes { add(printable: byte) }
        }
    }
}

/// Milliseconds for which the member that came first has taken requests: those of one farm share among themselves.
private func longestPresence(_ segment: UnsafeMutablePointer<bh_segment_t>, farm: UInt32, now: UInt64) -> UInt64 {
    var (longest, place) = (UInt64(0), MemberPlace())
    while let (farm, entry) = place.next(segment, only: farm) {
        let row = bh_half_load(&entry.pointee.row)
        guard isAble(segment, farm: farm, row: row, now: now) else { continue }
        longest = max(longest, bh_row_presence(bh_segment_row(segment, row), now))
    }
    return longest
}

/// Whether the member can take requests now: by its states, by what is ordered, and as far as connections go.
func isAble(_ segment: UnsafeMutablePointer<bh_segment_t>, farm: UInt32, row id: UInt32, now: UInt64) -> Bool {
    guard let row = segment.server(id), standing(segment, farm: farm, row: id, now: now) == BH_STANDING_ABLE else {
        return false
    }
    return bh_row_state(row) == BH_STATE_UP.rawValue && !bh_row_is_refusing(row, now)
}
