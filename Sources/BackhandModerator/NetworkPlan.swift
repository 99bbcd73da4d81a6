// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem

/// How a datagram reaches the servers behind a destination.
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

/// One line of MulticastStats, worked out: where it goes and as whom we announce ourselves there.
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
    var site: UInt16 = 0
}

/// One of the servers that this httpd announces itself as: the main server, or a virtual host with an address of its own.
struct Site: Equatable {
    /// As the configuration numbers them: 0 is the main server.
    var number: UInt16
    /// Where it takes requests: what its first line announces.
    var own: bh_address_t
    var ownPort: UInt16

    /// The same server under another number: name-based virtual hosts, say, that have lines of their own.
    func isSame(as other: Site) -> Bool { own == other.own && ownPort == other.ownPort }

    /// A boot id of its own, so that receivers do not take the sites for addresses of one server. The same at every restart for the same
    /// address: the mixing step of SplitMix64, which maps different numbers to different ones.
    func bootID(from segment: UInt64) -> UInt64 {
        var mixed = segment ^ own.high ^ (own.low &* 0x9e37_79b9_7f4a_7c15) ^ UInt64(ownPort) << 48
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        mixed ^= mixed >> 31
        return mixed == 0 || mixed == segment ? ~segment : mixed
    }
}

/// A socket to hear the others with.
struct Listener: Equatable {
    var address: UInt32
    var port: UInt16
    /// Whether other programs of this machine may hear the same: not for unicast, where only one of them would get it.
    var shared: Bool
    /// Whether the moderator can do without: others may send to us alone as well, but where the port is taken, nobody must.
    var spare = false
    /// Addresses of the interfaces on which the group is joined; none if the address is no group.
    var interfaces: [UInt32]
}

extension bh_destination_t {
    /// Our address as the line gives it.
    var givenOwn: bh_address_t? { own.high != 0 || own.low != 0 ? own : nil }
}

/// The address that we announce along a line: the one given there, or the local one from which packets leave; nil if there is none.
public func announcedAddress(_ destination: bh_destination_t) -> bh_address_t? {
    if let given = destination.givenOwn { return given }
    guard let target = destination.group.ipv4 else { return nil }
    do throws(SystemError) {
        return bh_address_t(ipv4: try localAddress(towards: target))
    } catch {
        return nil
    }
}

/// Which sockets the lines of MulticastStats need.
struct NetworkPlan: Equatable {
    var routes: [Route] = []
    var listeners: [Listener] = []
    /// The main server first, even if it is announced nowhere.
    var sites: [Site] = []

    /// - Parameters:
    ///   - port: where we take requests, for lines that do not say.
    ///   - find: the local address from which packets to a destination leave.
    init(
        _ destinations: UnsafeBufferPointer<bh_destination_t>, port: UInt16, interfaces: [NetworkInterface],
        find: (UInt32) throws(SystemError) -> UInt32
    ) throws(ModeratorError) {
        for destination in destinations {
            let route = try Self.route(destination, port: port, interfaces: interfaces, find: find)
            routes.append(route)
            listen(for: route)
            guard !sites.contains(where: { $0.number == route.site }) else { continue }
            sites.append(Site(number: route.site, own: route.own, ownPort: route.ownPort))
        }
        let main = sites.firstIndex { $0.number == 0 }.map { sites.remove(at: $0) }
        sites.insert(main ?? Site(number: 0, own: bh_address_t(ipv4: 0x7f00_0001), ownPort: port), at: 0)
        for route in routes where route.reach != .unicast { listenAlone(for: route) }
    }

    private static func route(
        _ destination: bh_destination_t, port: UInt16, interfaces: [NetworkInterface],
        find: (UInt32) throws(SystemError) -> UInt32
    ) throws(ModeratorError) -> Route {
        let ownPort = destination.own_port != 0 ? destination.own_port : port
        guard let target = destination.group.ipv4, destination.port != 0 else {
            throw ModeratorError(BH_EINVAL, "MulticastStats \(destination.group.text): only IPv4 destinations can be announced to")
        }
        guard ownPort != 0 else {
            throw ModeratorError(BH_EINVAL, "MulticastStats \(destination.group.text): our own port is not known")
        }
        let reach = Reach(target, interfaces: interfaces)
        let given = destination.givenOwn
        let local: UInt32
        if let address = given?.ipv4 {
            local = address
        } else {
            do throws(SystemError) {
                local = try find(target)
            } catch {
                throw ModeratorError(cannot: "find our own address for MulticastStats \(destination.group.text); give it there", error)
            }
        }
        return Route(
            own: given ?? bh_address_t(ipv4: local), ownPort: ownPort, local: local, destination: target,
            port: destination.port, ttl: max(destination.ttl, 1), reach: reach, site: destination.site)
    }

    /// Adds what is needed to hear the others of this route, unless it is there.
    private mutating func listen(for route: Route) {
        let address = route.reach == .unicast ? route.local : route.destination
        let interfaces = route.reach == .multicast ? [route.local] : []
        guard let place = listeners.firstIndex(where: { $0.address == address && $0.port == route.port }) else {
            listeners.append(
                Listener(address: address, port: route.port, shared: route.reach != .unicast, interfaces: interfaces))
            return
        }
        if route.reach == .unicast { listeners[place].spare = false }
        if route.reach == .multicast, !listeners[place].interfaces.contains(route.local) {
            listeners[place].interfaces.append(route.local)
        }
    }

    /// Adds what hears those who send to us alone, on a port to which we announce to many.
    private mutating func listenAlone(for route: Route) {
        guard !listeners.contains(where: { $0.address == route.local && $0.port == route.port }) else { return }
        listeners.append(Listener(address: route.local, port: route.port, shared: false, spare: true, interfaces: []))
    }
}
