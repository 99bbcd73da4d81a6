// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// The tables of the status page; docs/status.md describes each column. As the JSON, they are written row by row.

/// Rows that were not heard for this long are shown as stale.
private let staleAge = UInt64(SERVER_TIMEOUT) * 1000

/// The columns that both tables have.
private let firstColumns: StaticString = """
    <table>
    <thead><tr><th>Entry</th><th class="text">Hostname</th><th>Age</th><th class="text">Address</th>
    """

/// Of mod_backhand's own page, and after them the newer ones.
private let figureColumns: StaticString = """
    <th>Total Mem</th><th>Avail Mem</th><th>Ready/Total</th><th>~ms/req [#req]</th><th>Arriba</th><th>CPUs</th>\
    <th>Load/HWM</th><th>CPU Idle</th><th>Kept</th><th class="text">State</th><th class="text">Why</th>
    """

/// What each server announces of its own last second.
private let meanColumns: StaticString = """
    <th>In Flight</th><th>Req/s</th><th>First Byte</th><th>Whole</th><th>CPU Used</th><th>Capacity</th>\
    <th>Errors</th><th>Dispatched</th>
    """

/// The table by which rows are shown, and when.
private struct Moment {
    let segment: UnsafeMutablePointer<bh_segment_t>
    let rows: UInt32
    let now: UInt64
    let longest: UInt64
}

/// Writes the tables of the status page; false if the sink stopped it.
///
/// rows: how many there are; now: CLOCK_MONOTONIC milliseconds.
public func writeSegmentHTML(
    _ segment: UnsafePointer<bh_segment_t>, rows: UInt32, now: UInt64, to sink: TextSink
) -> Bool {
    // Only so that fields of the header can be read by atomics, which want a mutable pointer: nothing is written.
    let moment = Moment(
        segment: UnsafeMutablePointer(mutating: segment), rows: rows, now: now,
        longest: bh_segment_presence(segment, rows, now))
    var page = HTMLPage()
    for isMeans in [false, true] {
        if isMeans { page.put("<h2>The last second</h2>\n") }
        page.put(firstColumns)
        page.put(isMeans ? meanColumns : figureColumns)
        page.put("</tr></thead>\n<tbody>\n")
        for id in 0..<rows {
            writeRow(id, moment, means: isMeans, to: &page)
            guard page.drain(to: sink) else { return false }
        }
        page.put("</tbody>\n</table>\n")
    }
    writeSenders(moment, to: &page)
    return page.drain(to: sink, last: true)
}

/// One server; nothing for a row that is empty or being written all the time.
@inline(never)
private func writeRow(_ id: UInt32, _ moment: Moment, means: Bool, to page: inout HTMLPage) {
    let row = bh_segment_row_mutable(moment.segment, id)
    let (heard, last) = (bh_row_heard(row), bh_row_last_heard(row))
    var facts = bh_facts_t()
    guard means ? heard != 0 : isUsed(row), bh_row_copy(row, &facts) else { return }
    let age = last == 0 ? 0 : elapsed(since: last, moment.now)
    page.put(age > staleAge ? "<tr class=\"stale\"><td>" : bh_row_own(row) ? "<tr class=\"own\"><td>" : "<tr><td>")
    page.put(UInt64(id))
    page.put("</td><td class=\"text\">")
    withUnsafeBytes(of: facts.hostname) { page.put(escaping: $0) }
    page.put("</td><td>")
    if last == 0 { page.put("-") } else { page.put(age / 1000) }
    page.put("</td><td class=\"text\">")
    page.put(facts.address, port: facts.port)
    page.put("</td><td>")
    if means {
        writeMeans(facts, to: &page)
    } else {
        if heard == 0 { writeMember(row, to: &page) } else { writeFigures(id, to: &page, moment) }
        page.put("</td><td>")
        page.put(UInt64(bh_row_kept(moment.segment, id)))
        page.put("</td><td class=\"text\">")
        page.put(shownState(row))
        page.put("</td><td class=\"text\">")
        page.put(reason(moment.segment, id, facts, longest: moment.longest, now: moment.now), of: facts)
    }
    page.put("</td></tr>\n")
}

@inline(never)
private func writeFigures(_ id: UInt32, to page: inout HTMLPage, _ moment: Moment) {
    let stat = bh_segment_public_mutable(moment.segment, id)
    @inline(never)
    func put(_ value: Int32, _ end: StaticString) {
        page.put(value)
        page.put(end)
    }
    put(bh_public_load(&stat.pointee.tmem), " MB</td><td>")
    put(bh_public_load(&stat.pointee.amem), " MB</td><td>")
    put(bh_public_load(&stat.pointee.aservers), "/")
    put(bh_public_load(&stat.pointee.nservers), "</td><td>")
    put(bh_public_load(&stat.pointee.tatime), " [")
    put(bh_public_load(&stat.pointee.numbacked), "]</td><td>")
    put(bh_public_load(&stat.pointee.arriba), "</td><td>")
    put(bh_public_load(&stat.pointee.ncpu), "</td><td>")
    page.put(Double(bh_public_load(&stat.pointee.load)) / 1000, decimals: 3)
    page.put("/")
    put(bh_public_load(&stat.pointee.load_hwm) / 1000, "</td><td>")
    page.put(Double(bh_public_load(&stat.pointee.cpu)) / 1000, decimals: 3)
}

/// Of a member that announces nothing only what this httpd sees of it is known.
@inline(never)
private func writeMember(_ row: UnsafeMutablePointer<bh_row_t>, to page: inout HTMLPage) {
    page.put("-</td><td>-</td><td>-</td><td>")
    page.put(bh_row_mean_us(row) / 1000)
    page.put(" [")
    page.put(bh_word_load(&row.pointee.served))
    page.put("]</td><td>-</td><td>-</td><td>-</td><td>-")
}

@inline(never)
private func writeMeans(_ facts: bh_facts_t, to page: inout HTMLPage) {
    @inline(never)
    func put(_ value: UInt32, per unit: Double, decimals: Int, _ end: StaticString) {
        page.put(Double(value) / unit, decimals: decimals)
        page.put(end)
    }
    put(facts.mean_in_flight, per: 1000, decimals: 1, "</td><td>")
    put(facts.arrival_rate, per: 1000, decimals: 0, "</td><td>")
    put(facts.first_byte_us, per: 1000, decimals: 1, " ms</td><td>")
    put(facts.latency_us, per: 1000, decimals: 1, " ms</td><td>")
    if facts.cpu_used == BH_CPU_UNKNOWN { page.put("-") } else { page.put(Double(facts.cpu_used) / 1000, decimals: 2) }
    page.put("</td><td>")
    page.put(UInt64(facts.capacity))
    page.put("</td><td>")
    put(facts.error_ppm, per: 10_000, decimals: 1, " %</td><td>")
    page.put(facts.dispatched)
}

/// Senders that were heard lately, and are in neither table.
@inline(never)
private func writeSenders(_ moment: Moment, to page: inout HTMLPage) {
    var sender = bh_sender_t()
    var isFirst = true
    for place in 0..<UInt32(BH_SENDERS) {
        guard bh_segment_sender(moment.segment, place, &sender), let why = refusalText(sender.counter) else { continue }
        if isFirst {
            page.put(
                """
                <h2>Heard, but not in the table</h2>
                <table>
                <thead><tr><th class="text">Sender</th><th class="text">Why</th><th>Age</th><th>Datagrams</th></tr>\
                </thead>
                <tbody>

                """)
        }
        isFirst = false
        page.put("<tr><td class=\"text\">")
        page.put(sender.address)
        page.put("</td><td class=\"text\">")
        page.put(why)
        page.put("</td><td>")
        page.put(elapsed(since: sender.heard_ms, moment.now) / 1000)
        page.put("</td><td>")
        page.put(UInt64(sender.times))
        page.put("</td></tr>\n")
    }
    if !isFirst { page.put("</tbody>\n</table>\n") }
}
