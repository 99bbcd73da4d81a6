// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText

/// A server, as lines of the control socket name it.
struct NamedServer: Equatable {
    var address: bh_address_t
    var port: UInt16

    /// Reads "10.0.0.4:80" or "[2001:db8::4]:80"; nil for everything else.
    init?(_ text: some BidirectionalCollection<UInt8>) {
        guard let colon = text.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let host = [UInt8](text[..<colon])
        let digits = [UInt8](text[text.index(after: colon)...])
        guard digits.count <= 5, let port = digits.withUnsafeBufferPointer({ Word($0).number(in: 1...65535) }) else {
            return nil
        }
        let hasBrackets = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]")
        let inner = hasBrackets ? host.dropFirst().dropLast() : host[...]
        guard inner.contains(UInt8(ascii: ":")) == hasBrackets,
            let address = inner.withUnsafeBufferPointer({ Word($0).address })
        else { return nil }
        self.address = address
        self.port = UInt16(port)
    }
}

/// A question or an order about one server's state.
struct ControlOrder: Equatable {
    /// What is ordered; nil: it is only asked.
    var state: bh_state_t?
    /// The server that it concerns, for this httpd alone; nil: this httpd itself, for all.
    var server: NamedServer?
}

/// Reads one line of the control socket, without its newline.
func parseControlLine(_ line: [UInt8]) -> ControlRequest {
    if line[...].equals("status") { return .status }
    let blank = line.firstIndex(of: UInt8(ascii: " "))
    let word = line[..<(blank ?? line.endIndex)]
    let state: bh_state_t?
    if word.equals("drain") {
        state = BH_STATE_DRAINING
    } else if word.equals("maintenance") {
        state = BH_STATE_MAINTENANCE
    } else if word.equals("resume") {
        state = BH_STATE_UP
    } else if word.equals("state") {
        state = nil
    } else {
        return .unknown
    }
    guard let blank else { return .order(ControlOrder(state: state, server: nil)) }
    guard let server = NamedServer(line[(blank + 1)...]) else { return .badServer }
    return .order(ControlOrder(state: state, server: server))
}
