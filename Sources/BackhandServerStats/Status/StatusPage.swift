// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
public import CBackhand
internal import CSystem

// The status page, as HTML or as JSON: what surrounds the tables, and what is written where there is no table.

/// Nothing from elsewhere, no scripts: the page is text in a table. The number is that of the style below (a test
/// computes it too): another style in the page would not count.
public var pagePolicy: StaticString {
    """
    default-src 'none'; style-src 'sha256-ZT/oB9phSanGxut0R2FHDf8quC9UEFRCCULIJnqNVj0='; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'
    """
}

private var style: StaticString {
    """
    body{font:14px/1.4 sans-serif;margin:1.5em;color:#222;background:#fff}\
    table{border-collapse:collapse}th,td{padding:.2em .7em;text-align:right;white-space:nowrap}\
    th{border-bottom:2px solid #888}td.text,th.text{text-align:left}\
    tbody tr:nth-child(even){background:#eee}tbody tr.own{font-weight:bold}tbody tr.stale{background:#fcc}\
    dl{display:grid;grid-template-columns:max-content auto;gap:.1em 1em}dt{color:#666}dd{margin:0}
    """
}

/// Why the table tells nothing of now; empty: it does.
public func troubleText(_ segment: UnsafePointer<bh_segment_t>?, _ about: bh_page_t) -> UnsafePointer<CChar> {
    if let segment { return bh_trouble_text(bh_segment_trouble(segment, about.now_ms)) }
    return about.has_directory
        ? bh_trouble_text(BH_TROUBLE_UNATTENDED)
        : ("there is no moderator: UnixSocketDir is missing" as StaticString).characters
}

/// Writes the page with the table, or without one where there is no segment; false if the sink stopped it.
public func writeStatusPage(
    _ segment: UnsafePointer<bh_segment_t>?, _ about: bh_page_t, _ write: bh_write_fn, _ baton: UnsafeMutableRawPointer?
) -> Bool {
    let sink = { (piece: UnsafeBufferPointer<UInt8>) in hand(piece, to: write, baton) }
    if about.json {
        guard let segment else { return writeJSONWithoutTable(about, to: sink) }
        return writeSegmentJSON(
            segment, rows: bh_segment_rows(segment), now: about.now_ms, wall: about.wall_s, write, baton,
            extension: about.extension)
    }
    var page = HTMLPage()
    writeHead(about, to: &page)
    guard page.drain(to: sink, last: true) else { return false }
    if let segment {
        guard writeSegmentHTML(segment, rows: bh_segment_rows(segment), now: about.now_ms, to: sink) else {
            return false
        }
        if let more = about.extension?.pointee.page, !more(segment, false, about.now_ms, write, baton) { return false }
    }
    page.put("</body></html>\n")
    return page.drain(to: sink, last: true)
}

/// The same as with a sink of Swift: compiled once, for the page and for the control socket.
@inline(never)
public func writeSegmentJSON(
    _ segment: UnsafePointer<bh_segment_t>, rows: UInt32, now: UInt64, wall: Int64, _ write: bh_write_fn,
    _ baton: UnsafeMutableRawPointer?, extension: UnsafePointer<bh_extension_t>?
) -> Bool {
    let more = `extension`?.pointee.page
    if let more, !more(segment, true, now, write, baton) { return false }
    return writeSegmentJSON(
        segment, rows: rows, now: now, wall: wall, isBegun: more != nil, to: { hand($0, to: write, baton) })
}

/// Gives a piece of text to a writer of C.
@inline(never)
public func hand(
    _ piece: UnsafeBufferPointer<UInt8>, to write: bh_write_fn, _ baton: UnsafeMutableRawPointer?
) -> Bool {
    guard let start = piece.baseAddress else { return true }
    return start.withMemoryRebound(to: CChar.self, capacity: piece.count) { write(baton, $0, piece.count) }
}

private func text(_ characters: UnsafePointer<CChar>?) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: characters, count: characters.map { strlen($0) } ?? 0)
}

@inline(never)
private func writeHead(_ about: bh_page_t, to page: inout HTMLPage) {
    page.put(
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>Backhand status</title><style>
        """)
    page.put(style)
    page.put("</style></head>\n<body>\n<h1>Backhand status</h1>\n<dl><dt>Server</dt><dd>")
    page.put(escaping: text(about.server))
    page.put("</dd><dt>Version</dt><dd>mod_backhand ")
    page.put(escaping: text(bh_version()))
    page.put("</dd><dt>Your address</dt><dd>")
    page.put(escaping: text(about.client))
    page.put("</dd></dl>\n")
    let trouble = text(about.trouble)
    guard !trouble.isEmpty else { return }
    page.put("<p>This table tells nothing of now: ")
    page.put(escaping: trouble)
    page.put(".</p>\n")
}

@inline(never)
private func writeJSONWithoutTable(_ about: bh_page_t, to sink: TextSink) -> Bool {
    var page = JSONPage()
    page.beginObject()
    page.field("version", Word(bh_version()))
    page.field("now", about.wall_s)
    page.field("trouble", bytes: text(about.trouble))
    page.key("servers")
    page.beginArray()
    page.endArray()
    page.endObject()
    page.newline()
    return page.drain(to: sink, last: true)
}
