// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// Where the listening sockets of one moderator wait for the next, so that what is announced between the two is not
/// lost.
///
/// The parent makes the place and never looks into it: what is there was put in by a process of the children's user. It
/// holds no socket itself, so none stays bound when a moderator has closed it.
public final class HeldSockets {
    let store: DescriptorStore

    /// Creates an empty place, without a socket that is bound. Throws if the system gives no pair of sockets.
    public init() throws(ModeratorError) {
        do throws(SystemError) {
            store = try DescriptorStore()
        } catch {
            throw ModeratorError(cannot: "make a place for the moderator's sockets", error)
        }
    }

    /// Whether the descriptor is one of the place's own two, which a process must keep open.
    public func have(_ fd: Int32) -> Bool { fd == store.inlet || fd == store.outlet }

    /// Closes the place in this process. What is in it stays as long as another process has the place open.
    public func close() { store.close() }
}

/// The open sockets of a moderator, which follow the plan of the moment.
final class Sockets {
    struct OpenListener {
        let socket: UDPSocket
        /// What it is for. Its interfaces are those on which the group is joined.
        var state: ListeningAddress
    }

    struct OpenSender {
        let socket: UDPSocket
        let route: Route
    }

    private(set) var listeners: [OpenListener] = []
    private(set) var senders: [OpenSender] = []
    /// The smallest receive buffer that the system gave, in bytes; nil without listeners.
    private(set) var smallestBuffer: Int32?
    private let store: DescriptorStore?
    /// How many listeners wait in the store.
    private var stored = 0
    /// Whether the store holds the listeners as they are.
    private var isKept = true
    /// Sockets that are bound to nothing yet: made while this process may still give them the buffer that they need.
    private var reserve: [UDPSocket] = []
    /// Listeners that we can do without, and until when they are tried: another program may have the port for good.
    private var spares: [(listener: ListeningAddress, until: UInt64)] = []

    /// How long a port that we can do without is tried, milliseconds. At a restart its holder is mostly a child of ours
    /// that was just forked, and has not closed what it need not have, or the moderator before.
    private static var sparePatience: UInt64 { 1000 }
    /// Room for 2048 announcements in one burst: the kernel charges each with about 1 kB, and doubles what is asked
    /// for.
    private static var receiveBuffer: Int32 { 4 << 20 }
    /// For each line what is heard there by many and by us alone, and two for what changes after the start; no more
    /// than that, as each is a descriptor.
    private static func reserved(lines: Int) -> Int { lines == 0 ? 0 : min(2 * lines, 8) + 2 }

    /// Opens nothing that is bound; with whatever privileges the process still has.
    init(_ held: HeldSockets?, lines: Int) {
        store = held?.store
        for _ in 0..<Self.reserved(lines: lines) {
            guard let socket = Self.unbound() else { break }
            reserve.append(socket)
        }
    }

    func close() {
        for one in senders { one.socket.close() }
        for one in listeners { one.socket.close() }
        for socket in reserve { socket.close() }
    }

    /// Takes over what another moderator left in the store. Call it without privileges.
    func takeOver() {
        while let (fd, words) = store?.take() {
            guard let socket = UDPSocket(taking: fd), let name = socket.name, words.count > 0 else {
                closeDescriptor(fd)
                continue
            }
            let old = ListeningAddress(address: name.address, port: name.port, shared: words[0] != 0, interfaces: [])
            // What happened to its interfaces meanwhile is not known.
            for index in words.dropFirst() { socket.leave(group: old.address, index: index) }
            listeners.append(OpenListener(socket: socket, state: old))
            isKept = false
            noteBuffer(socket)
        }
    }

    /// Closes and opens what differs from the plan.
    ///
    /// - Returns: what is in the way of each line, with the line's number: the plan's obstacles and those that were met
    ///   here; and whether a port that we can do without is worth another try.
    func follow(_ plan: NetworkPlan, now: UInt64) -> (obstacles: [NetworkPlan.Waiting], hurries: Bool) {
        let change = NetworkChange(listeners: listeners.map { $0.state }, senders: senders.map { $0.route }, plan: plan)
        var met: [(listener: ListeningAddress, obstacle: Obstacle)] = []
        var obstacles = plan.waiting
        for one in change.leave { leave(one) }
        for place in change.closeSenders.reversed() { senders.remove(at: place).socket.close() }
        for one in change.join {
            if let obstacle = join(one.interface, place: one.listener) {
                met.append((listeners[one.listener].state, obstacle))
            }
        }
        for place in change.closeListeners.reversed() { listeners.remove(at: place).socket.close() }
        let hurries = forgetSpares(change.openListeners, now: now)
        for wanted in change.openListeners where isWorthTrying(wanted, now: now) {
            if let obstacle = open(wanted), !wanted.spare { met.append((wanted, obstacle)) }
        }
        for route in change.openSenders {
            if let obstacle = open(route) {
                obstacles.append(NetworkPlan.Waiting(line: route.line, obstacle: obstacle))
            }
        }
        for route in plan.routes {
            guard
                let one = met.first(where: { $0.listener.address == route.listening && $0.listener.port == route.port })
            else { continue }
            obstacles.append(NetworkPlan.Waiting(line: route.line, obstacle: one.obstacle))
        }
        if !isKept || change.concernsListeners { keep() }
        return (obstacles, hurries)
    }

    /// Puts the listeners as they are now into the store, then takes those out that were there before: at no moment it
    /// is empty.
    private func keep() {
        guard let store else { return }
        let before = stored
        stored = 0
        isKept = true
        for one in listeners {
            // The kernel lets a socket join 20 groups (igmp_max_memberships).
            let words =
                [one.state.shared ? 1 : 0] + one.state.interfaces.map { $0.index }.prefix(DescriptorStore.most - 1)
            do throws(SystemError) {
                try store.put(one.socket.fd, words)
                stored += 1
            } catch {
                // The next moderator opens it again.
            }
        }
        for _ in 0..<before {
            guard let old = store.take() else { break }
            closeDescriptor(old.fd)
        }
    }

    /// The socket that announces from the address by which packets leave for the target; any other if there is none.
    func socket(towards target: UInt32) -> UDPSocket? {
        guard senders.count > 1 else { return senders.first?.socket }
        let local: UInt32?
        do throws(SystemError) {
            local = try localAddress(towards: target)
        } catch {
            local = nil
        }
        return (senders.first { $0.route.local == local } ?? senders.first)?.socket
    }

    /// Whether all sockets have the filter now; where the system has none, everything is read as before.
    func filter(with filter: SocketFilter?) -> Bool {
        do throws(SystemError) {
            for one in listeners { try one.socket.filter(with: filter) }
            for one in senders { try one.socket.filter(with: filter) }
            return true
        } catch {
            return false
        }
    }

    // ---- One socket ----

    private func leave(_ one: NetworkChange.Member) {
        let group = listeners[one.listener].state.address
        listeners[one.listener].socket.leave(group: group, index: one.interface.index)
        listeners[one.listener].state.interfaces.removeAll { $0 == one.interface }
    }

    private func join(_ interface: Membership, place: Int) -> Obstacle? {
        do throws(SystemError) {
            try listeners[place].socket.join(
                group: listeners[place].state.address, interface: interface.address, index: interface.index)
            listeners[place].state.interfaces.append(interface)
            return nil
        } catch {
            return .joining(interface.address, error)
        }
    }

    private func open(_ wanted: ListeningAddress) -> Obstacle? {
        guard let socket = reserve.popLast() ?? Self.unbound() else {
            return .listening(wanted.address, wanted.port, .noDescriptors)
        }
        do throws(SystemError) {
            try socket.bind(address: wanted.address, port: wanted.port, shared: wanted.shared)
        } catch {
            putBack(socket)
            return error == .addressInUse
                ? .taken(wanted.address, wanted.port) : .listening(wanted.address, wanted.port, error)
        }
        var state = wanted
        state.interfaces = []
        listeners.append(OpenListener(socket: socket, state: state))
        noteBuffer(socket)
        var obstacle: Obstacle?
        for interface in wanted.interfaces { obstacle = join(interface, place: listeners.count - 1) ?? obstacle }
        return obstacle
    }

    private func open(_ route: Route) -> Obstacle? {
        do throws(SystemError) {
            let socket = try UDPSocket(address: route.local, port: 0, shared: false)
            do throws(SystemError) {
                switch route.reach {
                case .multicast:
                    try socket.sendMulticast(
                        interface: route.local, index: route.interface?.index ?? 0, hops: route.ttl)
                case .broadcast: try socket.allowBroadcast()
                case .unicast: break
                }
            } catch {
                socket.close()
                throw error
            }
            // In the plan's order as far as that goes: what comes back comes last.
            senders.append(OpenSender(socket: socket, route: route))
            return nil
        } catch {
            return .sending(error)
        }
    }

    private static func unbound() -> UDPSocket? {
        do throws(SystemError) {
            let socket = try UDPSocket()
            _ = socket.growReceiveBuffer(to: receiveBuffer)
            return socket
        } catch {
            return nil
        }
    }

    /// A socket that could not be bound is as good as new, but for SO_REUSEADDR, which would let others have its port.
    private func putBack(_ socket: UDPSocket) {
        socket.forbidSharing()
        reserve.append(socket)
    }

    private func noteBuffer(_ socket: UDPSocket) {
        guard let buffer = socket.receiveBuffer else { return }
        let size = Int32(clamping: buffer.limit)
        smallestBuffer = min(smallestBuffer ?? size, size)
    }

    // ---- Ports that we can do without ----

    /// Forgets those that are not wanted any more; whether one of the others is still to be tried.
    private func forgetSpares(_ wanted: [ListeningAddress], now: UInt64) -> Bool {
        spares.removeAll { spare in !wanted.contains { $0.isSame(as: spare.listener) } }
        for one in wanted where one.spare && !spares.contains(where: { $0.listener.isSame(as: one) }) {
            spares.append((one, now + Self.sparePatience))
        }
        return spares.contains { now < $0.until }
    }

    private func isWorthTrying(_ wanted: ListeningAddress, now: UInt64) -> Bool {
        !wanted.spare || spares.contains { $0.listener.isSame(as: wanted) && now <= $0.until }
    }
}
