// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText
internal import CBackhand

// The commands of the control socket for farms: docs/control.md.
//
//     farms                                    all farms
//     farm NAME [on|off]                       one, with its members
//     member FARM MEMBER [on|off|up|down]      one member, as its AthMember line writes it, or by address and port

/// Writes the answer; false: the command is another one. ordered: whether it was an order, which is in force now.
func obey(
    _ line: Word, _ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64, ordered: inout Bool, to sink: Sink
) -> Bool {
    var words = line.pieces(at: UInt8(ascii: " "))
    guard let command = words.next() else { return false }
    let (first, second, third, rest) = (words.next(), words.next(), words.next(), words.next())
    if command.equals("farms"), first == nil { return answerFarms(segment, now: now, to: sink) }
    let isFarm = command.equals("farm")
    guard isFarm || command.equals("member"), let first else { return false }
    let number = findFarm(segment, first)
    guard number != 0 else { return refuse("no such farm", to: sink) }
    let target = Target(segment: segment, farm: number, now: now)
    if isFarm {
        guard third == nil else { return false }
        return target.answer(ordering: second, ordered: &ordered, to: sink)
    }
    guard let second, rest == nil else { return false }
    guard let entry = target.find(second) else { return refuse("no such member", to: sink) }
    return target.answer(entry, ordering: third, ordered: &ordered, to: sink)
}

private func refuse(_ why: StaticString, to sink: Sink) -> Bool {
    var json = JSONPage()
    json.beginObject()
    json.field("error", name: why)
    json.endObject()
    json.newline()
    return sink(json.text)
}

private func answerFarms(_ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64, to sink: Sink) -> Bool {
    var (json, number) = (JSONPage(), UInt32(1))
    json.beginFarms()
    while number <= bh_segment_farms(segment) {
        if segment.farm(number) != nil {
            json.beginObject()
            json.farm(number, segment, now: now)
            json.endObject()
        }
        number += 1
    }
    json.endFarms()
    return sink(json.text)
}

/// A farm that an order is for, or one of its members.
private struct Target {
    let segment: UnsafeMutablePointer<bh_segment_t>
    let farm: UInt32
    let now: UInt64

    /// By the text of its line, or by address and port; nil: there is none.
    func find(_ text: Word) -> UnsafeMutablePointer<bh_farm_member_t>? {
        var place = MemberPlace()
        while let (_, entry) = place.next(segment, only: farm) {
            if entry.text.equals(text, ignoringCase: true) || isAt(entry, text) { return entry }
        }
        return nil
    }

    private func isAt(_ entry: UnsafeMutablePointer<bh_farm_member_t>, _ text: Word) -> Bool {
        var facts = bh_facts_t()
        guard bh_row_copy(bh_segment_row(segment, bh_half_load(&entry.pointee.row)), &facts) else { return false }
        var place = Message()
        place.add(facts.address, port: facts.port)
        return place.bytes.withUnsafeBufferPointer { Word($0).equals(text, ignoringCase: true) }
    }

    func answer(ordering word: Word?, ordered: inout Bool, to sink: Sink) -> Bool {
        if let word {
            var order = bh_update_t()
            guard order.take(word), order.has(BH_UPDATE_ON) else { return refuse("on or off is wanted", to: sink) }
            _ = update(segment, farm: farm, order, Change(ms: now, isMirrored: false))
            ordered = true
        }
        var json = JSONPage()
        guard json.whole(farm, segment, now: now, to: sink) else { return false }
        json.newline()
        return sink(json.text)
    }

    func answer(
        _ entry: UnsafeMutablePointer<bh_farm_member_t>, ordering word: Word?, ordered: inout Bool, to sink: Sink
    ) -> Bool {
        if let word {
            var order = bh_update_t()
            guard order.take(word) else { return refuse("on, off, up or down is wanted", to: sink) }
            _ = update(segment, row: bh_half_load(&entry.pointee.row), order, Change(ms: now, isMirrored: false))
            ordered = true
        }
        var json = JSONPage()
        json.member(entry, farm: farm, segment, now: now)
        json.newline()
        return sink(json.text)
    }
}

extension bh_update_t {
    /// Reads on, off, up or down; false: it is something else.
    fileprivate mutating func take(_ word: Word) -> Bool {
        fields = BH_UPDATE_IS_ORDER.rawValue
        if word.equals("on") || word.equals("off") {
            (on, fields) = (word.equals("on"), fields | BH_UPDATE_ON.rawValue)
            return true
        }
        (up, fields) = (word.equals("up"), fields | BH_UPDATE_UP.rawValue)
        return up || word.equals("down")
    }
}
