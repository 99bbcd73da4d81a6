// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// One IPv4 address of this machine, with its network. Host byte order.
public struct NetworkInterface: Equatable, Sendable {
    /// The address of the interface.
    public let address: UInt32
    /// The mask of its network; 0: not known.
    public let mask: UInt32
    /// The broadcast address of its network; made from the mask if the system gives none.
    public let broadcast: UInt32
    /// The kernel's number of the interface, another one each time it is made; 0: not known.
    public let index: UInt32

    /// The value with these parts.
    public init(address: UInt32, mask: UInt32, broadcast: UInt32, index: UInt32 = 0) {
        self.address = address
        self.mask = mask
        self.broadcast = broadcast
        self.index = index
    }

    /// Whether the address belongs to this interface's network. A mask of zero is none.
    public func reaches(_ other: UInt32) -> Bool {
        mask != 0 && other & mask == address & mask
    }
}

/// This machine's interfaces, at most 256 (`getifaddrs`); none if the system does not say.
public func networkInterfaces() -> [NetworkInterface] {
    // More addresses than any sensible machine has; those beyond are only not recognised as broadcast networks.
    var list = [csystem_interface_t](repeating: csystem_interface_t(), count: 256)
    let count = list.withUnsafeMutableBufferPointer { room in
        room.baseAddress.map { csystem_interfaces($0, Int32(room.count)) } ?? 0
    }
    return list.prefix(Int(max(count, 0))).map {
        NetworkInterface(address: $0.address, mask: $0.mask, broadcast: $0.broadcast, index: $0.index)
    }
}

/// The local address from which packets to the destination leave (`connect` and `getsockname` of a UDP socket).
public func localAddress(towards destination: UInt32) throws(SystemError) -> UInt32 {
    var address: UInt32 = 0
    try checked { csystem_local_address(destination, &address) }
    return address
}

/// Why the address is not one of this machine's; nil if it is (`bind` of a UDP socket).
public func whyNotLocal(_ address: UInt32) -> SystemError? {
    do throws(SystemError) {
        try checked { csystem_address_check(address) }
        return nil
    } catch {
        return error
    }
}

/// The address that packets to the server have; nil: none can leave (`connect` and `getsockname` of a UDP socket).
///
/// - Parameter own: the words of the address that they must leave from; both 0: any.
public func sourceAddress(
    to server: (high: UInt64, low: UInt64), port: UInt16, from own: (high: UInt64, low: UInt64)
) -> (high: UInt64, low: UInt64)? {
    let from: InlineArray<2, UInt64> = [own.high, own.low]
    var used: InlineArray<2, UInt64> = [0, 0]
    let found = from.span.withUnsafeBufferPointer { from in
        var room = used.mutableSpan
        return room.withUnsafeMutableBufferPointer { used in
            csystem_source_address(server.high, server.low, port, from.baseAddress!, used.baseAddress!)
        }
    }
    return found == 0 ? (used[0], used[1]) : nil
}
