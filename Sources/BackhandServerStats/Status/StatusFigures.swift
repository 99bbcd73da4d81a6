// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// Our few figures on mod_status's page, for those who watch server-status anyway; docs/status.md describes them.

/// What the table says of the other servers, taken together.
private struct Figures {
    /// Rows in use that are not this httpd.
    var known: UInt64 = 0
    /// Of these, how many byAge without an argument would keep.
    var heard: UInt64 = 0
    /// Left out now for refused connections.
    var backedOff: UInt64 = 0
    var inFlight: UInt64 = 0
    var served: UInt64 = 0
    var failed: UInt64 = 0

    init(_ segment: UnsafeMutablePointer<bh_segment_t>, now: UInt64) {
        for id in 0..<bh_segment_rows(segment) {
            let row = bh_segment_row_mutable(segment, id)
            let last = bh_row_heard(row)
            guard isUsed(row), !bh_row_own(row) else { continue }
            known += 1
            if last != 0, elapsed(since: last, now) <= UInt64(SERVER_TIMEOUT) * 1000 { heard += 1 }
            if bh_row_backoff(row) > now { backedOff += 1 }
            inFlight &+= UInt64(bh_half_load(&row.pointee.in_flight))
            served &+= bh_word_load(&row.pointee.served)
            failed &+= bh_word_load(&row.pointee.failed)
        }
    }
}

/// Writes the figures, as lines for programs or as HTML; false if the sink stopped it.
public func writeFigures(
    _ segment: UnsafePointer<bh_segment_t>, lines: Bool, now: UInt64, to sink: TextSink
) -> Bool {
    // Only so that fields of the header can be read by atomics, which want a mutable pointer: nothing is written.
    let segment = UnsafeMutablePointer(mutating: segment)
    let sum = Figures(segment, now: now)
    let arrivals = bh_word_load(&segment.pointee.arrivals)
    let unattended = bh_half_load(&segment.pointee.unattended) == 1
    var page = HTMLPage()
    if lines {
        writeLines(sum, arrivals: arrivals, unattended: unattended, to: &page)
    } else {
        writeList(sum, arrivals: arrivals, unattended: unattended, to: &page)
    }
    return page.drain(to: sink, last: true)
}

/// ?auto: for programs, a line each.
private func writeLines(_ sum: Figures, arrivals: UInt64, unattended: Bool, to page: inout HTMLPage) {
    @inline(never)
    func line(_ name: StaticString, _ value: UInt64) {
        page.put(name)
        page.put(value)
        page.put("\n")
    }
    line("BackhandServersKnown: ", sum.known)
    line("BackhandServersHeard: ", sum.heard)
    line("BackhandServersBackedOff: ", sum.backedOff)
    line("BackhandArrivals: ", arrivals)
    line("BackhandProxied: ", sum.served)
    line("BackhandFailed: ", sum.failed)
    line("BackhandInFlight: ", sum.inFlight)
    line("BackhandUnattended: ", unattended ? 1 : 0)
}

private func writeList(_ sum: Figures, arrivals: UInt64, unattended: Bool, to page: inout HTMLPage) {
    @inline(never)
    func put(_ value: UInt64, _ rest: StaticString) {
        page.put(value)
        page.put(rest)
    }
    page.put("<hr />\n<h1>Backhand</h1>\n<dl><dt>Other servers: ")
    put(sum.known, " known, ")
    put(sum.heard, " heard within ")
    put(UInt64(SERVER_TIMEOUT), " seconds, ")
    put(sum.backedOff, " left out for refused connections</dt>\n<dt>Requests received: ")
    put(arrivals, "; sent to other servers: ")
    put(sum.served, " answered, ")
    put(sum.failed, " failed, ")
    put(sum.inFlight, " under way</dt>\n")
    if unattended {
        page.put("<dt>No moderator keeps the table up to date, so no request is sent to another server</dt>\n")
    }
    page.put("</dl>\n")
}
