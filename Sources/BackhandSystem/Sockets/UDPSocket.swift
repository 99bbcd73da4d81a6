// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// A UDP socket over IPv4. Addresses and ports are in host byte order. The opener closes it.
public struct UDPSocket: Sendable {
    /// The descriptor, for calls and to wait for.
    public let fd: Int32

    /// Bound to address and port; port 0: any (`socket`, `bind`).
    ///
    /// - Parameter shared: other programs may bind the same (SO_REUSEADDR); each gets every multicast and broadcast
    ///   datagram.
    public init(address: UInt32, port: UInt16, shared: Bool) throws(SystemError) {
        try self.init()
        do throws(SystemError) {
            try bind(address: address, port: port, shared: shared)
        } catch {
            close()
            throw error
        }
    }

    /// Bound to nothing yet (`socket`).
    public init() throws(SystemError) {
        fd = try checked { csystem_udp_open() }
    }

    /// A descriptor that another process opened; nil if it is not a UDP socket.
    public init?(taking fd: Int32) {
        self.fd = fd
        if name == nil { return nil }
    }

    /// Where it is bound (`getsockname`); nil if it is not a UDP socket over IPv4.
    public var name: (address: UInt32, port: UInt16)? {
        var (address, port) = (UInt32(0), UInt16(0))
        return csystem_udp_name(fd, &address, &port) == 0 ? (address, port) : nil
    }

    /// Binds it to address and port; port 0: any (`bind`). A socket that could not be bound can be bound again.
    public func bind(address: UInt32, port: UInt16, shared: Bool) throws(SystemError) {
        try checked { csystem_udp_bind(fd, address, port, shared) }
    }

    /// Closes it (`close`).
    public func close() {
        _ = CSystem.close(fd)
    }

    /// Joins a multicast group on the interface with the index; index 0: on the one that has the address
    /// (IP_ADD_MEMBERSHIP).
    ///
    /// Two addresses may be of one interface: to have joined already is not an error.
    public func join(group: UInt32, interface: UInt32, index: UInt32 = 0) throws(SystemError) {
        do throws(SystemError) {
            try checked { csystem_udp_join(fd, group, interface, index) }
        } catch  where error == .addressInUse {
        }
    }

    /// Leaves a group that was joined on the interface with the index (IP_DROP_MEMBERSHIP). The interface may be gone:
    /// its membership stays in the socket until then, and would keep the group from being joined on an interface that
    /// gets the same index. Not to be a member is not an error.
    public func leave(group: UInt32, index: UInt32) {
        _ = csystem_udp_leave(fd, group, index)
    }

    /// Prepares for sending to multicast groups: from the interface with the index or address, over this many hops,
    /// heard here too.
    public func sendMulticast(interface: UInt32, index: UInt32 = 0, hops: UInt8) throws(SystemError) {
        try checked { csystem_udp_multicast(fd, interface, index, Int32(hops)) }
    }

    /// Allows sending to broadcast addresses (SO_BROADCAST).
    public func allowBroadcast() throws(SystemError) {
        try checked { csystem_udp_broadcast(fd) }
    }

    /// Asks for a receive buffer of this many bytes and tells what there is; up to twice the wish, overhead included.
    public func growReceiveBuffer(to bytes: Int32) -> Int32 {
        csystem_udp_receive_buffer(fd, bytes)
    }

    /// Takes back what `shared` allowed (SO_REUSEADDR).
    public func forbidSharing() {
        _ = csystem_udp_forbid_sharing(fd)
    }

    /// Sends one datagram (`sendto`).
    public func send(_ bytes: UnsafeRawBufferPointer, to address: UInt32, port: UInt16) throws(SystemError) {
        guard let start = bytes.baseAddress else { return }
        try checked { csystem_udp_send(fd, start, bytes.count, address, port) }
    }

    /// Sends one datagram that leaves from the local address source (`sendmsg` with IP_PKTINFO).
    public func send(
        _ bytes: UnsafeRawBufferPointer, from source: UInt32, to address: UInt32, port: UInt16
    ) throws(SystemError) {
        guard let start = bytes.baseAddress else { return }
        try checked { csystem_udp_send_from(fd, source, start, bytes.count, address, port) }
    }

    /// Lets the kernel drop what the filter does not pass, before it takes room in the receive buffer; nil: nothing
    /// more (SO_ATTACH_FILTER).
    public func filter(with filter: SocketFilter?) throws(SystemError) {
        guard let filter else {
            try checked { csystem_udp_filter(fd, nil, 0) }
            return
        }
        try checked { filter.steps.withUnsafeBufferPointer { csystem_udp_filter(fd, $0.baseAddress, $0.count) } }
    }

    /// How full the receive buffer is, and what was dropped before it so far; nil if the system does not tell
    /// (SO_MEMINFO).
    public var receiveBuffer: ReceiveBuffer? {
        var found = csystem_buffer_t()
        guard csystem_udp_buffer(fd, &found) >= 0 else { return nil }
        return ReceiveBuffer(used: found.used, limit: found.limit, dropped: found.dropped)
    }

    /// Takes one waiting datagram; nil if there is none (`recvfrom`).
    ///
    /// - Returns: its true length, which may be more than there was room for.
    public func receive(into room: UnsafeMutableRawBufferPointer, sender: inout UInt32, port: inout UInt16) -> Int? {
        guard let start = room.baseAddress else { return nil }
        do throws(SystemError) {
            return try checked { csystem_udp_receive(fd, start, room.count, &sender, &port) }
        } catch {
            return nil
        }
    }

    /// The same, where the sender's port does not matter.
    public func receive(into room: UnsafeMutableRawBufferPointer, sender: inout UInt32) -> Int? {
        var port: UInt16 = 0
        return receive(into: room, sender: &sender, port: &port)
    }
}

/// A socket's receive buffer, in bytes as the kernel counts them.
public struct ReceiveBuffer: Equatable, Sendable {
    /// Bytes that wait to be read.
    public var used: UInt32
    /// Bytes for which there is room.
    public var limit: UInt32
    /// Datagrams that the kernel has dropped since the socket was opened, by a filter or for want of room; wraps.
    public var dropped: UInt32

    /// The value with these parts.
    public init(used: UInt32, limit: UInt32, dropped: UInt32) {
        self.used = used
        self.limit = limit
        self.dropped = dropped
    }

    /// Whether the next datagrams find no room, or hardly any.
    public var isFull: Bool { used >= limit - limit / 8 }
}
