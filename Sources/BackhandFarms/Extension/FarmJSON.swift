// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// Farms and members as JSON: for the status page and the control socket. docs/status.md describes the fields.

/// Hands a text on; false: the sink wants no more.
typealias Sink = (Message) -> Bool

/// A line of what is known, and the room for its texts.
struct ShownView {
    private var room = InlineArray<128, CChar>(repeating: 0)
    var view = bh_view_t()

    init(_ segment: UnsafeMutablePointer<bh_segment_t>, farm: UInt32, now: UInt64) {
        view.segment = UnsafePointer(segment)
        view.now_ms = now
        view.farm = farm
    }

    /// The number of a code; nil: it is not known.
    func number(_ code: bh_ath_code_t) -> Int64? { value(of: code, bh_piece_t(), in: view)?.number }

    /// Calls with the reason.
    mutating func withReason(_ body: (Word) -> Void) {
        withUnsafeMutableBytes(of: &room) { room in
            var view = view
            view.room = room.baseAddress!.assumingMemoryBound(to: CChar.self)
            guard let text = value(of: BH_ATH_CODE_REASON, bh_piece_t(), in: view)?.text,
                let word = Word(text, most: Int(BH_VIEW_ROOM))
            else { return }
            body(word)
        }
    }
}

extension JSONPage {
    /// Begins an object with a list of farms.
    mutating func beginFarms() {
        beginObject()
        key("farms")
        beginArray()
    }

    /// Ends it, and the line.
    mutating func endFarms() {
        endArray()
        endObject()
        newline()
    }

    /// A farm's own fields.
    mutating func farm(_ number: UInt32, _ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64) {
        guard let farm = segment.farm(number) else { return }
        let shown = ShownView(segment, farm: number, now: now)
        field("name", farm.name)
        field("on", shown.number(BH_ATH_CODE_ON) != 0)
        field("expect_update_s", UInt64(bh_half_load(&farm.pointee.expect_s)))
        numbers(shown, [("able", BH_ATH_CODE_ABLE), ("member_count", BH_ATH_CODE_MEMBERS)])
        numbers(shown, [("in_flight", BH_ATH_CODE_IN_FLIGHT), ("updated_s", BH_ATH_CODE_AGE)])
    }

    @inline(never)
    private mutating func numbers(_ shown: ShownView, _ codes: InlineArray<2, (StaticString, bh_ath_code_t)>) {
        for index in codes.indices {
            if let value = shown.number(codes[index].1) { field(codes[index].0, UInt64(clamping: value)) }
        }
    }

    /// One member, as an object.
    mutating func member(
        _ entry: UnsafeMutablePointer<bh_farm_member_t>, farm: UInt32, _ segment: UnsafeMutablePointer<bh_segment_t>,
        now: UInt64
    ) {
        var shown = ShownView(segment, farm: farm, now: now)
        shown.view.row = bh_half_load(&entry.pointee.row)
        beginObject()
        field("member", entry.text)
        field("id", UInt64(shown.view.row))
        field("on", shown.number(BH_ATH_CODE_ON) != 0)
        field("up", shown.number(BH_ATH_CODE_UP) != 0)
        field("in", shown.number(BH_ATH_CODE_IN) != 0)
        field("able", isAble(segment, farm: farm, row: shown.view.row, now: now))
        shown.withReason { field("reason", $0) }
        numbers(shown, [("in_flight", BH_ATH_CODE_IN_FLIGHT), ("updated_s", BH_ATH_CODE_AGE)])
        decimals(shown, [("load", BH_ATH_CODE_LOAD), ("cpu_idle", BH_ATH_CODE_IDLE)])
        decimals(shown, [("weight", BH_ATH_CODE_WEIGHT), ("mean_ms", BH_ATH_CODE_DELAY)])
        statistics(bh_segment_state(segment, shown.view.row), now: now)
        endObject()
    }

    @inline(never)
    private mutating func decimals(_ shown: ShownView, _ codes: InlineArray<2, (StaticString, bh_ath_code_t)>) {
        for index in codes.indices {
            if let value = shown.number(codes[index].1) { field(Word(codes[index].0.bytes), thousandths: value) }
        }
    }

    private mutating func statistics(_ state: UnsafeMutablePointer<bh_member_state_t>, now: UInt64) {
        key("statistics")
        beginObject()
        forEachStatistic(state, now: now) { name, value in field(name, thousandths: value) }
        endObject()
    }

    /// The farm with its members, as an object; handed on member by member.
    mutating func whole(
        _ number: UInt32, _ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64, to sink: Sink
    ) -> Bool {
        beginObject()
        farm(number, segment, now: now)
        key("members")
        beginArray()
        var place = MemberPlace()
        while let (_, entry) = place.next(segment, only: number) {
            member(entry, farm: number, segment, now: now)
            guard sink(text) else { return false }
            text.removeAll()
        }
        endArray()
        endObject()
        return true
    }
}

/// The statistics that are fresh.
func forEachStatistic(
    _ state: UnsafeMutablePointer<bh_member_state_t>, now: UInt64, _ body: (Word, Int64) -> Void
) {
    for place in 0..<UInt32(BH_STATISTICS) {
        let entry = bh_state_statistic(state, place)
        guard bh_word_load(&entry.pointee.hash) != 0,
            bh_state_is_fresh(state, bh_word_load(&entry.pointee.stamp), now)
        else { continue }
        body(
            segmentText(bh_statistic_name(entry), size: Int(BH_STATISTIC_NAME_SIZE)),
            bh_signed_word_load(&entry.pointee.thousandths))
    }
}
