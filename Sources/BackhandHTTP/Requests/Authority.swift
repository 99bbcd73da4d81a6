// Licensed under the Apache License, Version 2.0; see LICENSE.

/// The server that a URL or a Host header names: "10.0.0.4:80", "[2001:db8::4]", "web4".
struct Authority {
    /// Without brackets.
    let host: Piece
    /// Up to five digits: a number that is not a port is the port of no server.
    let port: Int

    /// Reads a text that has nothing else; nil if it is not an authority.
    ///
    /// - Parameter usual: the port if the text names none.
    init?(_ text: Piece, usual: Int) {
        var rest: Piece
        if !text.isEmpty, text.start.pointee == UInt8(ascii: "[") {
            guard let close = text.place(of: UInt8(ascii: "]")) else { return nil }
            host = text.dropping(1).prefix(close &- 1)
            rest = text.dropping(close &+ 1)
        } else {
            host = text.upTo(UInt8(ascii: ":"))
            rest = text.dropping(host.count)
        }
        guard !rest.isEmpty else {
            port = usual
            return
        }
        guard rest.start.pointee == UInt8(ascii: ":") else { return nil }
        rest = rest.dropping(1)
        guard let number = rest.isEmpty ? usual : readPort(rest) else { return nil }
        port = number
    }
}

private func readPort(_ digits: Piece) -> Int? {
    guard digits.count <= 5 else { return nil }
    var port = 0
    for place in 0..<digits.count {
        guard isDigit(digits.start[place]) else { return nil }
        port = port &* 10 &+ Int(digits.start[place] &- UInt8(ascii: "0"))
    }
    return port
}
