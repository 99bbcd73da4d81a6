// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
public import CBackhand

/// Hops of multicast announcements when no ttl is given: they stay on the local network.
private let defaultTTL = UInt8(1)

/// Reads the arguments of MulticastStats: "[own[:port]] destination:port[,ttl]".
///
/// Names of hosts are the caller's business: here are addresses only. A destination in 224.0.0.0/4 is multicast; every
/// other one is announced to by unicast or broadcast, and its ttl is accepted and ignored, because the original's
/// manual shows such lines.
public func parseDestination(
    own: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>
) throws(ConfigurationError) -> bh_destination_t {
    var destination = bh_destination_t()
    if let own {
        (destination.own, destination.own_port) = try parseOwn(Word(own))
    }
    let word = Word(text)
    let (place, hops) = word.split(at: UInt8(ascii: ","))
    (destination.group, destination.port) = try parseTarget(place, of: word)
    let ttl = if let hops { try parseTTL(hops, of: word) } else { defaultTTL }
    destination.ttl = destination.group.isMulticast ? ttl : 0
    return destination
}

extension UnsafeMutableBufferPointer<bh_destination_t> {
    /// Makes the lines those of a virtual host, and fills in what they leave open.
    public func complete(vhost: UInt16, own: bh_address_t, port: UInt16) {
        for line in indices {
            self[line].vhost = vhost
            if bh_address_is_zero(self[line].own) { self[line].own = own }
            if self[line].own_port == 0 { self[line].own_port = port }
        }
    }
}

/// Our own address and port; port 0 if it is not given.
private func parseOwn(_ word: Word) throws(ConfigurationError) -> (bh_address_t, UInt16) {
    let (head, tail) = word.split(at: UInt8(ascii: ":"))
    guard let address = head.address, address.ipv4 != nil else {
        throw notAnAddress(
            head, of: word, v6: ": our own address must be IPv4, as 10.0.0.4 or 10.0.0.4:80",
            other: ": our own address must be IPv4, as 10.0.0.4 or 10.0.0.4:80, not ")
    }
    guard address.isUnicast else {
        throw ConfigurationError(word, ": our own address must be one that a single server can have")
    }
    return (address, try tail.map { port throws(ConfigurationError) in try parsePort(port, of: word) } ?? 0)
}

/// Where the announcements go.
private func parseTarget(_ place: Word, of word: Word) throws(ConfigurationError) -> (bh_address_t, UInt16) {
    let (head, tail) = place.split(at: UInt8(ascii: ":"))
    guard let address = head.address, let ipv4 = address.ipv4 else {
        throw notAnAddress(
            head, of: word, v6: ": a destination must be IPv4, as 239.255.221.20:4445,1 or 10.0.0.255:4445",
            other: ": a destination must be IPv4, as 239.255.221.20:4445,1 or 10.0.0.255:4445, not ")
    }
    guard ipv4 >> 24 != 0 else {
        throw ConfigurationError(word, ": no server can be reached at an address that begins with 0")
    }
    guard let tail else {
        throw ConfigurationError(word, ": the port is missing; give destination:port, as 239.255.221.20:4445")
    }
    return (address, try parseUDPPort(tail, of: word))
}

/// A port below 1024 belongs to root, and the moderator, which opens it again whenever the network changes, is not
/// root.
private func parseUDPPort(_ port: Word, of word: Word) throws(ConfigurationError) -> UInt16 {
    guard let number = port.number(in: 1...65535) else {
        throw ConfigurationError(word, ": the port must be 1024 to 65535, not ", port)
    }
    guard number >= 1024 else {
        throw ConfigurationError(
            word,
            """
            : the moderator does not run as root and cannot open a port below 1024: the port must be 1024 to 65535, \
            not 
            """,
            port)
    }
    return UInt16(number)
}

private func parsePort(_ port: Word, of word: Word) throws(ConfigurationError) -> UInt16 {
    guard let number = port.number(in: 1...65535) else {
        throw ConfigurationError(word, ": the port must be 1 to 65535, not ", port)
    }
    return UInt16(number)
}

private func parseTTL(_ ttl: Word, of word: Word) throws(ConfigurationError) -> UInt8 {
    guard let number = ttl.number(in: 1...255) else {
        throw ConfigurationError(word, ": the ttl must be 1 to 255, not ", ttl)
    }
    return UInt8(number)
}

/// Why this is not an IPv4 address: v6 for what looks like IPv6, other for what looks like nothing.
private func notAnAddress(_ head: Word, of word: Word, v6: StaticString, other: StaticString) -> ConfigurationError {
    if word.split(at: UInt8(ascii: ":")).tail?.contains(UInt8(ascii: ":")) == true {
        return ConfigurationError(word, v6)
    }
    return ConfigurationError(word, other, head)
}
