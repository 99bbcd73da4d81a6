// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// A server, as lines of the control socket name it.
struct NamedServer: Equatable {
    var address: bh_address_t
    var port: UInt16

    /// Reads "10.0.0.4:80" or "[2001:db8::4]:80"; nil for everything else.
    init?(_ text: some BidirectionalCollection<UInt8>) {
        guard let colon = text.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        var host = [UInt8](text[..<colon])
        let digits = [UInt8](text[text.index(after: colon)...])
        guard !digits.isEmpty, digits.count <= 5, digits.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
            let port = UInt16(exactly: digits.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - UInt8(ascii: "0")) }), port != 0
        else { return nil }
        let hasBrackets = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]")
        if hasBrackets { host = [UInt8](host.dropFirst().dropLast()) }
        // inet_pton would stop at a NUL.
        guard host.contains(UInt8(ascii: ":")) == hasBrackets, !host.contains(0) else { return nil }
        host.append(0)
        let address = host.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { $0.baseAddress.flatMap { parseAddress($0) } }
        }
        guard let address else { return nil }
        self.address = address
        self.port = port
    }
}

/// A question or an order about one server's state.
struct ControlOrder: Equatable {
    /// What is ordered; nil: it is only asked.
    var state: bh_state_t?
    /// Whom it concerns, for this httpd alone; nil: this httpd itself, for everybody.
    var server: NamedServer?
}

/// Reads one line of the control socket, without its newline.
func parseControlLine(_ line: [UInt8]) -> ControlRequest {
    if line.elementsEqual("status".utf8) { return .status }
    let blank = line.firstIndex(of: UInt8(ascii: " "))
    let word = line[..<(blank ?? line.endIndex)]
    let state: bh_state_t?
    if word.elementsEqual("drain".utf8) {
        state = BH_STATE_DRAINING
    } else if word.elementsEqual("maintenance".utf8) {
        state = BH_STATE_MAINTENANCE
    } else if word.elementsEqual("resume".utf8) {
        state = BH_STATE_UP
    } else if word.elementsEqual("state".utf8) {
        state = nil
    } else {
        return .unknown
    }
    guard let blank else { return .order(ControlOrder(state: state, server: nil)) }
    guard let server = NamedServer(line[(blank + 1)...]) else { return .badServer }
    return .order(ControlOrder(state: state, server: server))
}
