// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText

/// The request of a check: HTTP/1.0, so that the answer comes without chunks.
///
/// - Parameters:
///   - place: where it is asked, for a check without a host.
///   - mark: what this httpd knows its own checks by; nil: the application is another program.
func checkRequest(_ check: bh_check_t, at place: VirtualHost, mark: InlineArray<32, UInt8>?) -> [UInt8] {
    var text = Message("GET ")
    if let path = check.path { text.add(Word(path).bytes) }
    text.add(" HTTP/1.0\r\nHost: ")
    if let host = check.host { text.add(Word(host).bytes) } else { text.add(place.own, port: place.ownPort) }
    text.add("\r\nUser-Agent: mod_backhand\r\nAccept: */*\r\nConnection: close\r\n")
    if let mark {
        text.add(Word(bh_check_header()).bytes)
        text.add(": ")
        for index in mark.indices { text.add(byte: mark[index]) }
        text.add("\r\n")
    }
    text.add("\r\n")
    return text.bytes
}
