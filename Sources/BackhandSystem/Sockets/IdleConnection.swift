// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// What can be read from a descriptor that should be a connection without anything to read.
public enum ReadableState: Equatable, Sendable {
    /// Nothing is left, and the other end is open.
    case quiet
    /// Something is left, or the other end has closed.
    case readable
    /// It was a connection, and has ended.
    case ended
    /// It is no connection.
    case foreign
}

/// The other end of a descriptor that should be a TCP connection.
public enum PeerState: Equatable, Sendable {
    /// The words of its IPv6 address, IPv4 as ::ffff:10.0.0.4, and its port.
    case connected(high: UInt64, low: UInt64, port: UInt16)
    /// It was a connection, and has ended.
    case ended
    /// It is another kind of socket.
    case foreign
}

/// Looks whether something is left to be read, and leaves it there (`recv`).
public func readableState(of fd: Int32) -> ReadableState {
    if csystem_stream_peek(fd) >= 0 { return .readable }
    switch csystem_errno() {
    case EAGAIN: return .quiet
    case ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNABORTED: return .ended
    default: return .foreign
    }
}

/// Which server the descriptor is connected to (`getpeername`).
public func peerState(of fd: Int32) -> PeerState {
    var (high, low, port) = (UInt64(0), UInt64(0), UInt16(0))
    if csystem_tcp_peer(fd, &high, &low, &port) == 0 { return .connected(high: high, low: low, port: port) }
    return csystem_errno() == ENOTCONN ? .ended : .foreign
}

/// Sends the bytes with a copy of the descriptor, without waiting (SCM_RIGHTS).
public func sendDescriptor(_ fd: Int32, with bytes: UnsafeRawBufferPointer, into queue: Int32) -> Bool {
    guard let start = bytes.baseAddress else { return false }
    return csystem_rights_send(queue, start, bytes.count, fd) >= 0
}

/// In the place of a descriptor that the kernel has dropped, because this process may have no more.
public let lostDescriptor = Int32(CSYSTEM_FD_LOST)

/// Takes the bytes that have waited longest, and a descriptor (-1: none came along; or ``lostDescriptor``), which its
/// taker closes; nil if the queue is empty.
public func receiveDescriptor(
    from queue: Int32, into room: UnsafeMutableRawBufferPointer
) -> (count: Int, fd: Int32)? {
    guard let start = room.baseAddress else { return nil }
    var fd: Int32 = -1
    let count = csystem_rights_receive(queue, start, room.count, &fd)
    return count < 0 ? nil : (count, fd)
}

/// A pair of sockets without a name: what is put into the first comes out of the second (`socketpair`).
public func openQueue() throws(SystemError) -> (inlet: Int32, outlet: Int32) {
    var (first, second) = (Int32(-1), Int32(-1))
    try checked { csystem_store_open(&first, &second) }
    return (first, second)
}
