// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// Texts of the segment: another process may write them meanwhile, so their length is bounded by their room.

/// The text in a room, up to its NUL or the room's last byte.
func segmentText(_ room: UnsafePointer<CChar>, size: Int) -> Word {
    let bytes = UnsafeBufferPointer(start: UnsafeRawPointer(room).assumingMemoryBound(to: UInt8.self), count: size &- 1)
    return Word(bytes).prefix(bytes.firstIndex(of: 0) ?? bytes.count)
}

/// Writes a text into a room, and cuts it there.
func write(_ text: Word, to room: UnsafeMutablePointer<CChar>, size: Int) {
    let kept = text.prefix(size &- 1).bytes
    for (place, byte) in kept.enumerated() { room[place] = CChar(bitPattern: byte) }
    for place in kept.count..<size { room[place] = 0 }
}

extension UnsafeMutablePointer<bh_farm_t> {
    var name: Word { segmentText(bh_farm_name(self), size: Int(BH_FARM_NAME_SIZE)) }
    /// Whether the configuration names it.
    var isNamed: Bool { bh_word_load(&pointee.since_ms) != 0 }
}

extension UnsafeMutablePointer<bh_farm_member_t> {
    var text: Word { segmentText(bh_farm_member_text(self), size: Int(BH_MEMBER_TEXT_SIZE)) }
}

extension UnsafePointer<bh_segment_t> {
    /// So that its words can be read by atomics.
    var words: UnsafeMutablePointer<bh_segment_t> { UnsafeMutablePointer(mutating: self) }
}

extension UnsafeMutablePointer<bh_segment_t> {
    /// nil: there is no such farm now.
    func farm(_ number: UInt32) -> UnsafeMutablePointer<bh_farm_t>? {
        guard number >= 1, number <= bh_segment_farms(self) else { return nil }
        let farm = bh_segment_farm(self, number)
        return farm.isNamed ? farm : nil
    }

    /// nil: there is no server in the row, or it is row 0.
    func server(_ row: UInt32) -> UnsafeMutablePointer<bh_row_t>? {
        guard row >= 1, row < bh_segment_rows(self), bh_row_is_used(bh_segment_row(self, row)) else { return nil }
        return bh_segment_row_mutable(self, row)
    }
}
