// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// What a plan needs to know of this machine's network: a parameter, so that tests can make one up.
struct LocalNetwork {
    var interfaces: [NetworkInterface]
    /// How often each address was taken from its interface so far: what was joined before that has to be joined again.
    var removals = AddressRemovals()
    /// The local address from which packets to a destination leave.
    let find: (UInt32) throws(SystemError) -> UInt32
    /// Why an address is not one of this machine's; nil if it is.
    let whyNotLocal: (UInt32) -> SystemError?

    /// The interface that has the address. One that is local but on no list, as 127.0.0.2, is left to the kernel:
    /// another interface may have the same network.
    func membership(of address: UInt32) -> Membership {
        let index = interfaces.first { $0.address == address }?.index ?? 0
        return Membership(address: address, index: index, removals: removals.count(of: address))
    }
}

extension bh_destination_t {
    /// Our address as the line gives it.
    var givenOwn: bh_address_t? { bh_address_is_zero(own) ? nil : own }
    /// Our port as the line gives it, else this one.
    func portOr(_ port: UInt16) -> UInt16 { own_port != 0 ? own_port : port }
}

/// The address that we announce along a line: the one given there, or the local one from which packets leave; nil if
/// there is none.
public func announcedAddress(_ destination: bh_destination_t) -> bh_address_t? {
    if let given = destination.givenOwn { return given }
    guard let target = destination.group.ipv4 else { return nil }
    do throws(SystemError) {
        return bh_address_t(ipv4: try localAddress(towards: target))
    } catch {
        return nil
    }
}

/// Whether the address, an IPv4 one, is of this machine now; true where that cannot be found out.
public func isLocal(_ address: bh_address_t) -> Bool {
    address.ipv4.map { whyNotLocal($0) != .addressNotHere } ?? true
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
    var listeners: [ListeningAddress] = []
    /// The main server first, even if it is announced nowhere. Others as long as an address of theirs is known.
    var vhosts: [VirtualHost] = []

    init() {}

    /// - Parameters:
    ///   - port: where we take requests, for lines that do not say.
    ///   - known: as what we were known before: a server whose network is away keeps its address.
    init(
        _ destinations: UnsafeBufferPointer<bh_destination_t>, port: UInt16, network: LocalNetwork,
        known: [VirtualHost] = []
    ) {
        for (line, destination) in destinations.enumerated() {
            guard let target = destination.group.ipv4 else { continue }
            let given = destination.givenOwn
            switch Self.local(given, towards: target, network) {
            case .success(let local):
                add(Self.route(destination, to: target, line: line, from: local, port: port, network), network)
            case .failure(let wait):
                waiting.append(Waiting(line: line, obstacle: wait.obstacle))
                if let given {
                    know(VirtualHost(number: destination.vhost, own: given, ownPort: destination.portOr(port)))
                }
            }
        }
        for vhost in known { know(vhost) }
        for place in vhosts.indices {
            guard let before = known.first(where: { $0.number == vhosts[place].number }) else { continue }
            let first = before.first ?? before.own
            vhosts[place].first = first == vhosts[place].own ? nil : first
        }
        let main = vhosts.firstIndex { $0.number == 0 }.map { vhosts.remove(at: $0) }
        vhosts.insert(main ?? VirtualHost(number: 0, own: bh_address_t(ipv4: 0x7f00_0001), ownPort: port), at: 0)
        for route in routes where route.reach != .unicast { listenAlone(for: route) }
    }

    /// What the configuration must change, because no network can: why no plan is to be made for these lines.
    static func check(_ destinations: UnsafeBufferPointer<bh_destination_t>, port: UInt16) throws(ModeratorError) {
        for destination in destinations {
            guard destination.group.ipv4 != nil, destination.port != 0 else {
                throw ModeratorError(
                    BH_EINVAL,
                    Message(
                        form: "MulticastStats {}: only IPv4 destinations can be announced to",
                        .address(destination.group)))
            }
            guard destination.portOr(port) != 0 else {
                throw ModeratorError(
                    BH_EINVAL,
                    Message(form: "MulticastStats {}: our own port is not known", .address(destination.group))
                )
            }
        }
    }

    private struct Wait: Error {
        var obstacle: Obstacle
    }

    /// The address from which a line announces.
    private static func local(
        _ given: bh_address_t?, towards target: UInt32, _ network: LocalNetwork
    ) -> Result<UInt32, Wait> {
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
        _ destination: bh_destination_t, to target: UInt32, line: Int, from local: UInt32, port: UInt16,
        _ network: LocalNetwork
    ) -> Route {
        let reach = Reach(target, interfaces: network.interfaces)
        return Route(
            own: destination.givenOwn ?? bh_address_t(ipv4: local), ownPort: destination.portOr(port), local: local,
            destination: target, port: destination.port, ttl: max(destination.ttl, 1), reach: reach,
            vhost: destination.vhost,
            line: line, interface: reach == .multicast ? network.membership(of: local) : nil)
    }

    private mutating func add(_ route: Route, _ network: LocalNetwork) {
        routes.append(route)
        listen(for: route)
        know(VirtualHost(number: route.vhost, own: route.own, ownPort: route.ownPort))
    }

    /// A virtual host is known by the first of its lines that has an address.
    private mutating func know(_ vhost: VirtualHost) {
        if !vhosts.contains(where: { $0.number == vhost.number }) { vhosts.append(vhost) }
    }

    /// Adds what is needed to hear the others of this route, unless it is there.
    private mutating func listen(for route: Route) {
        guard let place = listeners.firstIndex(where: { $0.address == route.listening && $0.port == route.port }) else {
            listeners.append(
                ListeningAddress(
                    address: route.listening, port: route.port, shared: route.reach != .unicast,
                    interfaces: route.interface.map { [$0] } ?? []))
            return
        }
        if route.reach == .unicast { listeners[place].spare = false }
        guard let interface = route.interface else { return }
        // Two addresses may be of one interface.
        guard
            !listeners[place].interfaces.contains(where: {
                $0.index == interface.index && ($0.index != 0 || $0 == interface)
            })
        else { return }
        listeners[place].interfaces.append(interface)
    }

    /// Adds what hears those who send to us alone, on a port to which we announce to many.
    private mutating func listenAlone(for route: Route) {
        guard !listeners.contains(where: { $0.address == route.local && $0.port == route.port }) else { return }
        listeners.append(
            ListeningAddress(address: route.local, port: route.port, shared: false, spare: true, interfaces: []))
    }
}
