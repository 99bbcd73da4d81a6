// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandHTTP
internal import BackhandServerStats
public import CBackhand

/// Writes what a redirect to the server names, and says whether the client may be sent there.
///
/// - Parameter format: the name, or the format of HTTPRedirectToName; nil: the address is named. The address stands
///   also for what is not a name:
///   the name may come from the Host header.
public func makeRedirect(
    format: UnsafePointer<CChar>?, server: UnsafePointer<bh_facts_t>, asked: bh_visitor_t,
    into redirect: UnsafeMutablePointer<bh_redirect_t>
) {
    // The scheme stays the client's, and a server announces its plain port, unless that speaks TLS.
    let tls = asked.tls || asked.servers_tls
    let port = asked.tls && !asked.servers_tls ? asked.tls_port : server.pointee.port
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(BH_NAME_SIZE)) { room in
        guard let start = room.baseAddress else { return }
        let isNamed = format.map { writeName($0, server, asked, room) } ?? false
        if !isNamed { writeAddress(server.pointee.address, start, room.count) }
        let host = Piece(start)
        writeOrigin(host, port, tls: tls, into: redirect)
        redirect.pointee.named = isNamed
        redirect.pointee.asked = asked.tls == tls && asked.port == port && isAsked(asked.host, host)
        redirect.pointee.leads_home =
            server.pointee.address.isLoopback && !asked.local && (host.isBracketed || host.address != nil)
    }
}

private func writeOrigin(_ host: Piece, _ port: UInt16, tls: Bool, into redirect: UnsafeMutablePointer<bh_redirect_t>) {
    var writer = Writer(bh_redirect_origin_mutable(redirect), Int(BH_ORIGIN_SIZE))
    writer.add(tls ? "https://" : "http://")
    writer.add(host)
    if port != (tls ? 443 : 80) {
        writer.add(UInt8(ascii: ":"))
        writer.add(UInt64(port))
    }
    _ = writer.end()
}

/// An IPv6 address in brackets, an IPv4 address without.
private func writeAddress(_ address: bh_address_t, _ room: UnsafeMutablePointer<CChar>, _ size: Int) {
    let before = address.ipv4 == nil ? 1 : 0
    let end = before &+ formatAddress(address, into: UnsafeMutableBufferPointer(start: room + before, count: size &- 2))
    if before == 1 {
        room[0] = CChar(bitPattern: UInt8(ascii: "["))
        room[end] = CChar(bitPattern: UInt8(ascii: "]"))
    }
    room[end &+ before] = 0
}

/// The name that the format makes; false if it is not one, or would lead every client to its own machine.
private func writeName(
    _ format: UnsafePointer<CChar>, _ server: UnsafePointer<bh_facts_t>, _ asked: bh_visitor_t,
    _ room: UnsafeMutableBufferPointer<CChar>
) -> Bool {
    guard expandName(format, server: bh_facts_hostname(server), host: asked.host, into: room) == BH_OK,
        let start = room.baseAddress
    else {
        return false
    }
    return asked.local || !isLoopback(Piece(start))
}

private func isLoopback(_ host: Piece) -> Bool {
    if let address = host.address { return address.isLoopback }
    return host.equals(Piece("localhost")) || host.equals(Piece("localhost.localdomain"))
        || host.ends(with: ".localhost")
}

/// Whether the client has asked for the host. httpd keeps IPv6 addresses of the Host header without their brackets, and
/// an address can be written in several ways.
private func isAsked(_ asked: UnsafePointer<CChar>?, _ host: Piece) -> Bool {
    guard let asked else { return false }
    guard host.isBracketed else { return Piece(asked).equals(host) }
    guard let left = Piece(asked).address, let right = host.unbracketed.address else { return false }
    return left == right
}
