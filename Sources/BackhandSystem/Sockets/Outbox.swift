// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Memory in which datagrams are made, one after the other, and from which they are sent.
public final class Outbox {
    /// Where a datagram is made.
    public let room: UnsafeMutableRawBufferPointer

    /// - Parameter size: bytes of the longest datagram.
    public init(size: Int) {
        room = .allocate(byteCount: max(size, 1), alignment: 8)
    }

    deinit {
        room.deallocate()
    }

    /// Sends the first bytes as one datagram.
    public func send(_ length: Int, to address: UInt32, port: UInt16, with socket: UDPSocket) throws(SystemError) {
        try socket.send(UnsafeRawBufferPointer(rebasing: room[..<length]), to: address, port: port)
    }
}
