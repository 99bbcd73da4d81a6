// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// How a datagram reaches the servers at a destination.
enum Reach: Equatable {
    case multicast, broadcast, unicast

    /// A broadcast address is one of an interface's network; where no interface knows, one that ends in 255.
    init(_ destination: UInt32, interfaces: [NetworkInterface]) {
        if destination >> 28 == 0xe {
            self = .multicast
        } else if destination == UInt32.max || interfaces.contains(where: { $0.isBroadcast(destination) }) {
            self = .broadcast
        } else if interfaces.contains(where: { $0.reaches(destination) }) {
            self = .unicast
        } else {
            self = destination & 0xff == 0xff ? .broadcast : .unicast
        }
    }
}

extension NetworkInterface {
    fileprivate func isBroadcast(_ destination: UInt32) -> Bool {
        // A host's own route (mask of 32 bits) has no broadcast address, though the arithmetic gives one.
        mask != UInt32.max && destination == broadcast
    }
}

/// One line of MulticastStats, worked out: where it goes, and which server it announces there.
struct Route: Equatable {
    /// Where we take requests.
    var own: bh_address_t
    var ownPort: UInt16
    /// The address from which announcements leave.
    var local: UInt32
    var destination: UInt32
    var port: UInt16
    var ttl: UInt8
    var reach: Reach
    /// Whose line it is, as the configuration numbers them: 0 is the main server.
    var vhost: UInt16 = 0
    /// Which line it is, from 0.
    var line = 0
    /// For multicast: the interface by which it leaves. A socket keeps the interface itself, not its address.
    var interface: Membership?

    /// Where the others of this route are heard.
    var listening: UInt32 { reach == .unicast ? local : destination }
}

/// One of the servers that this httpd announces itself as: the main server, or a virtual host with an address of its
/// own.
struct VirtualHost: Equatable {
    /// As the configuration numbers them: 0 is the main server.
    var number: UInt16
    /// Where it takes requests: what its first line announces.
    var own: bh_address_t
    var ownPort: UInt16
    /// The address by which this moderator knew it first; nil: this one. Others see then that it has moved.
    var first: bh_address_t?

    /// The same server under another number: name-based virtual hosts, say, that have lines of their own.
    func isSame(as other: VirtualHost) -> Bool { own == other.own && ownPort == other.ownPort }

    /// A separate boot id, so that receivers do not take the virtual hosts for addresses of one server. It is the same
    /// at every restart for the same address: the mixing step of SplitMix64, which maps different numbers to different
    /// ones.
    func bootID(from segment: UInt64) -> UInt64 {
        let own = first ?? own
        let word = segment ^ own.high ^ (own.low &* 0x9e37_79b9_7f4a_7c15) ^ UInt64(ownPort) << 48
        let mixed = SplitMix64.mix(word)
        return mixed == 0 || mixed == segment ? ~segment : mixed
    }
}

/// An interface on which a group is joined.
struct Membership: Equatable {
    /// Ours on that interface.
    var address: UInt32
    /// The interface's number; 0: the kernel finds it by the address.
    var index: UInt32 = 0
    /// How often the address had been taken away before: with the last address of an interface its memberships go.
    var removals: UInt32 = 0
}

/// A socket to hear the others with.
struct ListeningAddress: Equatable {
    var address: UInt32
    var port: UInt16
    /// Whether other programs of this machine may hear the same: not for unicast, where only one of them would get it.
    var shared: Bool
    /// Whether the moderator can do without: others may send to us alone as well, but where the port is taken, no
    /// server must.
    var spare = false
    /// The interfaces on which the group is joined; none if the address is not a group.
    var interfaces: [Membership]

    /// Whether a socket for one is a socket for the other, whatever groups it has joined.
    func isSame(as other: ListeningAddress) -> Bool {
        address == other.address && port == other.port && shared == other.shared
    }
}
