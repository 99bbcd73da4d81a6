// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// A stream socket, of the file system (AF_UNIX) unless it says TCP. The opener closes it.
public struct StreamSocket: Sendable {
    /// The descriptor, for calls and to wait for.
    public let fd: Int32

    /// Wraps an open descriptor.
    public init(fd: Int32) {
        self.fd = fd
    }

    /// Open, and at no path yet (`socket`).
    public init() throws(SystemError) {
        fd = try checked { csystem_unix_socket() }
    }

    /// Lets clients connect, of which this many wait (`listen`).
    public func listen(_ waiting: Int32) throws(SystemError) {
        try checked { CSystem.listen(fd, waiting) }
    }

    /// Connected to the socket at the path (`connect`).
    ///
    /// - Parameter waits: false: where its queue is full, this is an error.
    public init(connectingTo path: Path, waits: Bool = true) throws(SystemError) {
        fd = try path.withCString { path throws(SystemError) in try checked { csystem_unix_connect(path, waits) } }
    }

    /// A TCP connection from an address of this machine to itself, perhaps not made yet: ``send(_:)`` tells what has
    /// become of it (`bind`, `connect`). It does not leave this machine, and fails where the address is not here.
    ///
    /// - Parameters:
    ///   - high: the first half of its IPv6 address; IPv4 is ::ffff:10.0.0.4.
    ///   - low: the last half.
    public init(insideHigh high: UInt64, low: UInt64, port: UInt16) throws(SystemError) {
        fd = try checked { csystem_tcp_connect_inside(high, low, port) }
    }

    /// Puts it into the file system, with all rights but these (`umask`, `bind`).
    public func bind(to path: Path, withoutRights mask: UInt32) throws(SystemError) {
        try path.withCString { path throws(SystemError) in _ = try checked { csystem_unix_bind(fd, path, mask) } }
    }

    /// Whether the process lives that listens at the other end, as far as is known (`SO_PEERCRED`).
    public var peerLives: Bool { csystem_unix_peer_lives(fd) }

    /// Closes it (`close`).
    public func close() {
        _ = CSystem.close(fd)
    }

    /// Lets `accept` return instead of waiting (O_NONBLOCK).
    public func setNonblocking() throws(SystemError) {
        try checked { csystem_set_nonblocking(fd) }
    }

    /// Takes a waiting connection, itself non-blocking (`accept4`).
    public func accept() throws(SystemError) -> StreamSocket {
        StreamSocket(fd: try checked { csystem_accept_nonblocking(fd) })
    }

    /// Sends what fits now and tells how much that was (`send`).
    public func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        guard let start = bytes.baseAddress else { return 0 }
        return try checked { csystem_stream_send(fd, start, bytes.count) }
    }

    /// Takes what is there now, at most this number of bytes; none at the end.
    public func receive(most: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: most) { room, count in
            count = 0
            do throws(SystemError) {
                count = try receive(into: UnsafeMutableRawBufferPointer(room))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Takes what is there now; 0 at the end (`recv`).
    public func receive(into room: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        guard let start = room.baseAddress else { return 0 }
        return try checked { csystem_stream_receive(fd, start, room.count) }
    }
}
