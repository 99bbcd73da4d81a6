// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

// A server that names itself in its answer sends the client past the balancer, or to where it cannot go. These find its
// name.

/// What is asked for an answer, and the name of the site.
public struct AskedServer {
    let facts: UnsafePointer<bh_facts_t>
    let site: Piece?

    /// - Parameter site: the Host header without port and brackets.
    public init(_ facts: UnsafePointer<bh_facts_t>, site: UnsafePointer<CChar>?) {
        self.facts = facts
        self.site = site.map { Piece($0) }
    }

    /// Whether the text is the announced host name or the address of the server.
    fileprivate func isNamed(by host: Piece) -> Bool {
        if !host.isEmpty, host.equals(Piece(bh_facts_hostname(facts))) { return true }
        guard let address = host.address else { return false }
        return address.low == facts.pointee.address.low && address.high == facts.pointee.address.high
    }
}

/// What follows the authority in a URL of Location if the URL names the server; nil if it names another one.
///
/// The site by its name with the server's port counts too: httpd appends the port of its ServerName where the client's
/// Host has none.
public func pathAtServer(_ url: UnsafePointer<CChar>, _ server: AskedServer, tls: Bool) -> Piece? {
    var rest = Piece(url)
    _ = rest.take(anyCase: tls ? "https:" : "http:")
    guard rest.take("//") else { return nil }
    let text = rest.upTo(anyOf: "/?#")
    guard let authority = Authority(text, usual: tls ? 443 : 80), authority.port == Int(server.facts.pointee.port),
        server.isNamed(by: authority.host)
            || !authority.host.isEmpty && server.site.map({ $0.equals(authority.host) }) == true
    else { return nil }
    return rest.dropping(text.count)
}

/// The value of Domain in a cookie if it is the server's name, and the site is not within it; nil if the cookie stays
/// as it is.
public func serverDomain(in cookie: UnsafePointer<CChar>, _ server: AskedServer) -> Piece? {
    guard let site = server.site, let domain = domain(of: Piece(cookie)), !domain.isEmpty, !isWithin(site, domain),
        server.isNamed(by: domain)
    else { return nil }
    return domain
}

/// Whether the site has this name, or one within its domain.
private func isWithin(_ site: Piece, _ domain: Piece) -> Bool {
    let before = site.count &- domain.count
    guard before >= 0, site.dropping(before).equals(domain) else { return false }
    return before == 0 || site.start[before &- 1] == UInt8(ascii: ".")
}
