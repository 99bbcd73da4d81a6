// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem

/// The open sockets of a ``NetworkPlan``.
///
/// They outlive a moderator: the parent holds them, so that what is announced between the death of one and the start of the next is not lost.
public final class Sockets {
    let plan: NetworkPlan
    /// One for each route, in the plan's order.
    private(set) var senders: [UDPSocket] = []
    private(set) var listeners: [UDPSocket] = []
    /// The smallest receive buffer that the system gave, in bytes; nil without listeners.
    private(set) var smallestBuffer: Int32?

    /// A predecessor that is just leaving has this long to give up its ports, milliseconds.
    private static var patience: UInt64 { 1000 }
    /// The same for a port that we can do without: another httpd may have it for good. At a restart it is mostly a child of ours that was just forked, and has
    /// not closed what it need not have.
    private static var sparePatience: UInt64 { 200 }
    /// Room for 2048 announcements in one burst: the kernel charges each with about 1 kB, and doubles what is asked for.
    private static var receiveBuffer: Int32 { 4 << 20 }

    /// Opens those of all the configuration's destinations, or none.
    public convenience init(_ config: bh_moderator_config_t) throws(ModeratorError) {
        let destinations = UnsafeBufferPointer(start: config.destinations, count: config.destination_count)
        try self.init(
            NetworkPlan(destinations, port: config.port, interfaces: networkInterfaces(), find: localAddress(towards:)))
    }

    init(_ plan: NetworkPlan) throws(ModeratorError) {
        self.plan = plan
        do throws(ModeratorError) {
            let now = monotonicMilliseconds()
            for listener in plan.listeners {
                try open(listener, until: now + (listener.spare ? Self.sparePatience : Self.patience))
            }
            for route in plan.routes {
                try open(route)
            }
        } catch {
            close()
            throw error
        }
    }

    public func have(_ fd: Int32) -> Bool {
        senders.contains { $0.fd == fd } || listeners.contains { $0.fd == fd }
    }

    public func close() {
        for socket in senders { socket.close() }
        for socket in listeners { socket.close() }
    }

    private func open(_ listener: Listener, until deadline: UInt64) throws(ModeratorError) {
        let place = "\(bh_address_t(ipv4: listener.address).text):\(listener.port)"
        guard let socket = try Self.bind(listener, place, until: deadline) else { return }
        listeners.append(socket)
        for interface in listener.interfaces {
            do throws(SystemError) {
                try socket.join(group: listener.address, interface: interface)
            } catch {
                throw ModeratorError(cannot: "join the group \(place) on the interface of \(bh_address_t(ipv4: interface).text)", error)
            }
        }
        let buffer = socket.growReceiveBuffer(to: Self.receiveBuffer)
        smallestBuffer = min(smallestBuffer ?? buffer, buffer)
    }

    private static func bind(
        _ listener: Listener, _ place: String, until deadline: UInt64
    ) throws(ModeratorError) -> UDPSocket? {
        while true {
            do throws(SystemError) {
                return try UDPSocket(address: listener.address, port: listener.port, shared: listener.shared)
            } catch {
                guard error == .addressInUse else {
                    if listener.spare { return nil }
                    throw ModeratorError(cannot: "listen at \(place)", error)
                }
                guard monotonicMilliseconds() < deadline else {
                    if listener.spare { return nil }
                    throw ModeratorError(BH_EINUSE, "UDP \(place) is taken by another program")
                }
            }
            pause(milliseconds: 20)
        }
    }

    private func open(_ route: Route) throws(ModeratorError) {
        let local = bh_address_t(ipv4: route.local).text
        do throws(SystemError) {
            let socket = try UDPSocket(address: route.local, port: 0, shared: false)
            senders.append(socket)
            switch route.reach {
            case .multicast: try socket.sendMulticast(interface: route.local, hops: route.ttl)
            case .broadcast: try socket.allowBroadcast()
            case .unicast: break
            }
        } catch {
            let target = "\(bh_address_t(ipv4: route.destination).text):\(route.port)"
            throw ModeratorError(cannot: "announce to \(target) from \(local)", error)
        }
    }
}
