// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// The farms on the status page.

/// Writes the part; false: the sink wants no more.
func writeFarmPage(_ segment: UnsafeMutablePointer<bh_segment_t>, isJSON: Bool, now: UInt64, to sink: Sink) -> Bool {
    isJSON ? writeFarmFields(segment, now: now, to: sink) : writeFarmTable(segment, now: now, to: sink)
}

private func writeFarmFields(_ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64, to sink: Sink) -> Bool {
    var (json, number) = (JSONPage(), UInt32(1))
    json.beginFarms()
    while number <= bh_segment_farms(segment) {
        if segment.farm(number) != nil, !json.whole(number, segment, now: now, to: sink) { return false }
        number += 1
    }
    json.endArray()
    // What comes after it is of mod_backhand itself.
    json.text.add(",")
    return sink(json.text)
}

private func writeFarmTable(_ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64, to sink: Sink) -> Bool {
    var (text, number) = (
        Message(
            """
            <h2>Farms</h2>
            <p>A member gets requests if its farm and the member are on, and it is up and in. \
            What stands under Why counts beside that, and can only leave out more.</p>
            <table>
            <thead><tr><th class="text">Farm</th><th class="text">Member</th><th class="text">On</th>\
            <th class="text">Up</th><th class="text">In</th><th class="text">Why</th><th>Entry</th><th>In Flight</th>\
            <th>Load</th><th>CPU Idle</th><th>Updated</th><th class="text">Statistics</th></tr></thead>
            <tbody>

            """), UInt32(1)
    )
    while number <= bh_segment_farms(segment) {
        if segment.farm(number) != nil {
            text.addFarm(number, segment, now: now)
            var place = MemberPlace()
            while let (_, entry) = place.next(segment, only: number) {
                text.addMember(entry, farm: number, segment, now: now)
                guard sink(text) else { return false }
                text.removeAll()
            }
        }
        number += 1
    }
    text.add("</tbody>\n</table>\n<p>Cookies refused: ")
    text.add(bh_counter_load(segment, BH_COUNT_REFUSED_COOKIES.rawValue))
    text.add("</p>\n")
    return sink(text)
}

extension Message {
    fileprivate mutating func addFarm(_ number: UInt32, _ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64) {
        guard let farm = segment.farm(number) else { return }
        let shown = ShownView(segment, farm: number, now: now)
        add("<tr class=\"own\"><td class=\"text\">")
        add(escaping: farm.name)
        add("</td><td class=\"text\">")
        add(UInt64(clamping: shown.number(BH_ATH_CODE_ABLE) ?? 0))
        add(" of ")
        add(UInt64(clamping: shown.number(BH_ATH_CODE_MEMBERS) ?? 0))
        add(" able")
        addCell(text: shown.number(BH_ATH_CODE_ON) == 0 ? "off" : "on")
        for _ in 0..<4 { add("</td><td>") }
        addCell(shown.number(BH_ATH_CODE_IN_FLIGHT))
        for _ in 0..<3 { add("</td><td>") }
        add("</td><td></td></tr>\n")
    }

    fileprivate mutating func addMember(
        _ entry: UnsafeMutablePointer<bh_farm_member_t>, farm: UInt32, _ segment: UnsafeMutablePointer<bh_segment_t>,
        now: UInt64
    ) {
        var shown = ShownView(segment, farm: farm, now: now)
        shown.view.row = bh_half_load(&entry.pointee.row)
        add(
            isAble(segment, farm: farm, row: shown.view.row, now: now)
                ? "<tr><td></td><td class=\"text\">" : "<tr class=\"stale\"><td></td><td class=\"text\">")
        add(escaping: entry.text)
        addCell(text: shown.number(BH_ATH_CODE_ON) == 0 ? "off" : "on")
        addCell(text: shown.number(BH_ATH_CODE_UP) == 0 ? "down" : "up")
        addCell(text: shown.number(BH_ATH_CODE_IN) == 0 ? "out" : "in")
        addCell(text: "")
        shown.withReason { add(escaping: $0) }
        addCell(Int64(shown.view.row))
        addCell(shown.number(BH_ATH_CODE_IN_FLIGHT))
        addCell(shown.number(BH_ATH_CODE_LOAD), isDecimal: true)
        addCell(shown.number(BH_ATH_CODE_IDLE), isDecimal: true)
        addCell(shown.number(BH_ATH_CODE_AGE), unit: " s")
        addCell(text: "")
        forEachStatistic(bh_segment_state(segment, shown.view.row), now: now) { name, value in
            add(escaping: name)
            add(value < 0 ? "=-" : "=")
            add(thousandths: value.magnitude)
            add(" ")
        }
        add("</td></tr>\n")
    }

    private mutating func add(escaping word: Word) { add(escaping: UnsafeRawBufferPointer(word.bytes)) }

    @inline(never)
    private mutating func addCell(text: StaticString) {
        add("</td><td class=\"text\">")
        add(text)
    }

    @inline(never)
    private mutating func addCell(_ value: Int64?, isDecimal: Bool = false, unit: StaticString = "") {
        add("</td><td>")
        guard let value else { return add("-") }
        if isDecimal { add(thousandths: value.magnitude) } else { add(value.magnitude) }
        add(unit)
    }
}
