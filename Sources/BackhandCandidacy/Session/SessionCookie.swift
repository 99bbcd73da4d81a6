// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandHTTP
public import CBackhand

/// Writes the value of Set-Cookie that keeps a client at the row's server; nothing if the client has this cookie.
///
/// - Parameter line: what bySession's argument has after "cookie=".
public func writeSession(
    _ segment: UnsafePointer<bh_segment_t>, _ id: UInt32, _ sessions: UnsafePointer<bh_sessions_t>,
    _ line: UnsafePointer<CChar>, sent: UnsafePointer<CChar>?, secure: Bool, into writer: inout Writer
) {
    let tag = bh_session_tag(sessions, bh_segment_row(segment, id), 0)
    var values = SessionValues(sent ?? bh_text_empty(), separatedBy: UInt8(ascii: ","), line, isName: true)
    while let value = values.nextValue() {
        if SessionOwner(tag: value)?.isTag(tag) == true { return }
    }
    writeSessionCookie(line, tag: tag, secure: secure, into: &writer)
}
