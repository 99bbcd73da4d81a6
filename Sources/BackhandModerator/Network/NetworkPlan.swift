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

/// What a plan needs to know of this machine's network: a parameter, so that tests can make one up.
struct LocalNetwork {
    var interfaces: [NetworkInterface]
    /// How often each address was taken from its interface so far: what was joined before that has to be joined again.
    var removals = AddressRemovals()
    /// The local address from which packets to a destination leave.
    let find: (UInt32) throws(SystemError) -> UInt32
    /// Why an address is not one of this machine's; nil if it is.
    let whyNotLocal: (UInt32) -> SystemError?

    /// The interface that has the address. One that is local but on no list, as 127.0.0.2, is left to the kernel: another interface may have the
    /// same network.
    func membership(of address: UInt32) -> Membership {
        let index = interfaces.first { $0.address == address }?.index ?? 0
        return Membership(address: address, index: index, removals: removals.count(of: address))
    }
}

/// How often each address was taken from an interface.
struct AddressRemovals: Equatable {
    /// Of those that were taken last: more addresses than a machine changes between two looks.
    private static var most: Int { 64 }

    private var counts: [(address: UInt32, count: UInt32)] = []
    /// Of all others.
    private var base: UInt32 = 0

    static func == (one: AddressRemovals, other: AddressRemovals) -> Bool {
        one.base == other.base && one.counts.count == other.counts.count
            && zip(one.counts, other.counts).allSatisfy { $0.address == $1.address && $0.count == $1.count }
    }

    mutating func note(_ change: NetworkNews.Change) {
        for address in change.gone {
            let before = count(of: address)
            counts.removeAll { $0.address == address }
            if counts.count == Self.most { forget() }
            counts.append((address, before &+ 1))
        }
        if change.lost { forget() }
    }

    func count(of address: UInt32) -> UInt32 { counts.first { $0.address == address }?.count ?? base }

    /// Which address was taken is not known any more: every one may have been.
    private mutating func forget() {
        base = counts.reduce(base) { max($0, $1.count) } &+ 1
        counts.removeAll()
    }
}

/// Why a line of MulticastStats does not work now. All of it may pass, so all of it is tried again.
enum Obstacle: Equatable {
    /// No local address leads to the destination.
    case noRoute(SystemError)
    /// Our own address, as the line gives it, is not one of this machine's.
    case notHere(UInt32, SystemError)
    /// Another program has the port.
    case taken(UInt32, UInt16)
    case listening(UInt32, UInt16, SystemError)
    /// The group cannot be joined on the interface with the address.
    case joining(UInt32, SystemError)
    case sending(SystemError)

    /// In words for the administrator.
    var text: String {
        switch self {
        case .noRoute(let error): "no address of this machine leads there: \(error.text)"
        case .notHere(let address, let error):
            "our own address \(bh_address_t(ipv4: address).text) is not one of this machine: \(error.text)"
        case .taken(let address, let port): "UDP \(bh_address_t(ipv4: address).text):\(port) is taken by another program"
        case .listening(let address, let port, let error):
            "cannot listen at \(bh_address_t(ipv4: address).text):\(port): \(error.text)"
        case .joining(let address, let error):
            "cannot join the group on the interface of \(bh_address_t(ipv4: address).text): \(error.text)"
        case .sending(let error): "cannot send: \(error.text)"
        }
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
    /// Which line it is, from 0.
    var line = 0
    /// For multicast: the interface by which it leaves. A socket keeps the interface itself, not its address.
    var interface: Membership?

    /// Where the others of this route are heard.
    var listening: UInt32 { reach == .unicast ? local : destination }
}

/// One of the servers that this httpd announces itself as: the main server, or a virtual host with an address of its own.
struct Site: Equatable {
    /// As the configuration numbers them: 0 is the main server.
    var number: UInt16
    /// Where it takes requests: what its first line announces.
    var own: bh_address_t
    var ownPort: UInt16
    /// The address by which this moderator knew it first; nil: this one. Others see then that it has moved.
    var first: bh_address_t?

    /// The same server under another number: name-based virtual hosts, say, that have lines of their own.
    func isSame(as other: Site) -> Bool { own == other.own && ownPort == other.ownPort }

    /// A boot id of its own, so that receivers do not take the sites for addresses of one server. The same at every restart for the same
    /// address: the mixing step of SplitMix64, which maps different numbers to different ones.
    func bootID(from segment: UInt64) -> UInt64 {
        let own = first ?? own
        var mixed = segment ^ own.high ^ (own.low &* 0x9e37_79b9_7f4a_7c15) ^ UInt64(ownPort) << 48
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        mixed ^= mixed >> 31
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
struct Listener: Equatable {
    var address: UInt32
    var port: UInt16
    /// Whether other programs of this machine may hear the same: not for unicast, where only one of them would get it.
    var shared: Bool
    /// Whether the moderator can do without: others may send to us alone as well, but where the port is taken, nobody must.
    var spare = false
    /// The interfaces on which the group is joined; none if the address is no group.
    var interfaces: [Membership]

    /// Whether a socket for one is a socket for the other, whatever groups it has joined.
    func isSame(as other: Listener) -> Bool { address == other.address && port == other.port && shared == other.shared }
}

extension bh_destination_t {
    /// Our address as the line gives it.
    var givenOwn: bh_address_t? { own.high != 0 || own.low != 0 ? own : nil }
    /// Our port as the line gives it, else this one.
    func portOr(_ port: UInt16) -> UInt16 { own_port != 0 ? own_port : port }
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

/// Which sockets the lines of MulticastStats need now, and which lines have to wait.
struct NetworkPlan: Equatable {
    /// A line that cannot work now.
    struct Waiting: Equatable {
        var line: Int
        var obstacle: Obstacle
    }

    var routes: [Route] = []
    var waiting: [Waiting] = []
    var listeners: [Listener] = []
    /// The main server first, even if it is announced nowhere. Others as long as an address of theirs is known.
    var sites: [Site] = []

    init() {}

    /// - Parameters:
    ///   - port: where we take requests, for lines that do not say.
    ///   - known: as what we were known before: a server whose network is away keeps its address.
    init(_ destinations: UnsafeBufferPointer<bh_destination_t>, port: UInt16, network: LocalNetwork, known: [Site] = []) {
        for (line, destination) in destinations.enumerated() {
            guard let target = destination.group.ipv4 else { continue }
            let given = destination.givenOwn
            switch Self.local(given, towards: target, network) {
            case .success(let local):
                add(Self.route(destination, to: target, line: line, from: local, port: port, network), network)
            case .failure(let wait):
                waiting.append(Waiting(line: line, obstacle: wait.obstacle))
                if let given { know(Site(number: destination.site, own: given, ownPort: destination.portOr(port))) }
            }
        }
        for site in known { know(site) }
        for place in sites.indices {
            guard let before = known.first(where: { $0.number == sites[place].number }) else { continue }
            let first = before.first ?? before.own
            sites[place].first = first == sites[place].own ? nil : first
        }
        let main = sites.firstIndex { $0.number == 0 }.map { sites.remove(at: $0) }
        sites.insert(main ?? Site(number: 0, own: bh_address_t(ipv4: 0x7f00_0001), ownPort: port), at: 0)
        for route in routes where route.reach != .unicast { listenAlone(for: route) }
    }

    /// What the configuration must change, because no network can: why no plan is to be made for these lines.
    static func check(_ destinations: UnsafeBufferPointer<bh_destination_t>, port: UInt16) throws(ModeratorError) {
        for destination in destinations {
            guard destination.group.ipv4 != nil, destination.port != 0 else {
                throw ModeratorError(BH_EINVAL, "MulticastStats \(destination.group.text): only IPv4 destinations can be announced to")
            }
            guard destination.portOr(port) != 0 else {
                throw ModeratorError(BH_EINVAL, "MulticastStats \(destination.group.text): our own port is not known")
            }
        }
    }

    private struct Wait: Error {
        var obstacle: Obstacle
    }

    /// The address from which a line announces.
    private static func local(_ given: bh_address_t?, towards target: UInt32, _ network: LocalNetwork) -> Result<UInt32, Wait> {
        if let address = given?.ipv4 {
            if let why = network.whyNotLocal(address) { return .failure(Wait(obstacle: .notHere(address, why))) }
            return .success(address)
        }
        do throws(SystemError) {
            return .success(try network.find(target))
        } catch {
            return .failure(Wait(obstacle: .noRoute(error)))
        }
    }

    private static func route(
        _ destination: bh_destination_t, to target: UInt32, line: Int, from local: UInt32, port: UInt16, _ network: LocalNetwork
    ) -> Route {
        let reach = Reach(target, interfaces: network.interfaces)
        return Route(
            own: destination.givenOwn ?? bh_address_t(ipv4: local), ownPort: destination.portOr(port), local: local,
            destination: target, port: destination.port, ttl: max(destination.ttl, 1), reach: reach, site: destination.site,
            line: line, interface: reach == .multicast ? network.membership(of: local) : nil)
    }

    private mutating func add(_ route: Route, _ network: LocalNetwork) {
        routes.append(route)
        listen(for: route)
        know(Site(number: route.site, own: route.own, ownPort: route.ownPort))
    }

    /// A site is known by the first of its lines that has an address.
    private mutating func know(_ site: Site) {
        if !sites.contains(where: { $0.number == site.number }) { sites.append(site) }
    }

    /// Adds what is needed to hear the others of this route, unless it is there.
    private mutating func listen(for route: Route) {
        guard let place = listeners.firstIndex(where: { $0.address == route.listening && $0.port == route.port }) else {
            listeners.append(
                Listener(
                    address: route.listening, port: route.port, shared: route.reach != .unicast,
                    interfaces: route.interface.map { [$0] } ?? []))
            return
        }
        if route.reach == .unicast { listeners[place].spare = false }
        guard let interface = route.interface else { return }
        // Two addresses may be of one interface.
        guard !listeners[place].interfaces.contains(where: { $0.index == interface.index && ($0.index != 0 || $0 == interface) })
        else { return }
        listeners[place].interfaces.append(interface)
    }

    /// Adds what hears those who send to us alone, on a port to which we announce to many.
    private mutating func listenAlone(for route: Route) {
        guard !listeners.contains(where: { $0.address == route.local && $0.port == route.port }) else { return }
        listeners.append(Listener(address: route.local, port: route.port, shared: false, spare: true, interfaces: []))
    }
}
