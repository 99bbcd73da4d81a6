// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
public import CBackhand

/// One server's state as a JSON object and a newline.
///
/// - Parameters:
///   - underWay: requests that are not finished; nil: those of this httpd there.
///   - drainFile: the path of the file that drains this httpd; nil: none does.
public func stateJSON(
    _ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, underWay: UInt64?, drainFile: Word? = nil
) -> [UInt8] {
    let row = bh_segment_row_mutable(segment, id)
    var facts = bh_facts_t()
    var page = JSONPage()
    var text: [UInt8] = []
    page.beginObject()
    if isUsed(row), bh_row_copy(row, &facts) {
        page.field("address", facts.address)
        page.field("port", UInt64(facts.port))
    }
    writeState(row, to: &page)
    page.field("under_way", underWay ?? UInt64(requestsInFlight(segment, id)))
    if let drainFile { page.field("drain_file", drainFile) }
    page.endObject()
    page.newline()
    _ = page.drain(
        to: {
            text.append(contentsOf: $0); return true
        }, last: true)
    return text
}

/// The fields that say whether a server takes requests.
func writeState(_ row: UnsafeMutablePointer<bh_row_t>, to page: inout JSONPage) {
    page.field("state", name: shownState(row))
    page.field("announced", name: stateName(bh_half_load(&row.pointee.state)))
    page.field("ordered", name: stateName(bh_half_load(&row.pointee.ordered)))
}
