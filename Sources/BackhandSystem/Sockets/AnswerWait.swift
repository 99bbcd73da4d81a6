// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Waits for what a server says on a connection, or for a time, in one descriptor. Its opener closes it.
public struct AnswerWait: Sendable {
    /// Readable when the connection or the timer is.
    public let set: Int32
    /// For ``wake(after:)``.
    public let timer: Int32

    /// These descriptors.
    public init(set: Int32, timer: Int32) {
        (self.set, self.timer) = (set, timer)
    }

    /// For this socket; nil if fewer than a quarter of the process's descriptors are left: a process without one for
    /// its clients is of no use.
    public init?(for fd: Int32) {
        var (set, timer) = (Int32(-1), Int32(-1))
        guard csystem_waiting_open(fd, &set, &timer) == 0 else { return nil }
        self.init(set: set, timer: timer)
        let limit = csystem_descriptor_limit()
        if UInt64(max(set, timer)) >= limit / 4 &* 3 {
            close()
            return nil
        }
    }

    /// Makes it readable after this time; 0: only the connection does.
    public func wake(after microseconds: UInt64) { csystem_waiting_set(timer, microseconds) }

    /// Closes what is open of it.
    public func close() {
        for fd in [set, timer] where fd >= 0 { _ = CSystem.close(fd) }
    }
}

/// What a connection on which an answer is awaited has come to.
public enum AwaitedAnswer: Equatable, Sendable {
    /// Nothing was said.
    case awaited
    /// Its first bytes are there.
    case there
    /// The other end has closed, or reset it.
    case ended
    /// The kernel's probes (``keepAlive(_:)``) have failed.
    case unreachable
}

/// Looks what was said, and leaves it there (`recv`).
public func awaitedAnswer(on fd: Int32) -> AwaitedAnswer {
    let count = csystem_stream_peek(fd)
    if count > 0 { return .there }
    if count == 0 { return .ended }
    switch csystem_errno() {
    case EAGAIN, EINTR: return .awaited
    case ETIMEDOUT, EHOSTUNREACH, ENETUNREACH: return .unreachable
    default: return .ended
    }
}

/// Waits until a socket can be read, or written, or has an error (`poll`).
public func isReady(_ fd: Int32, writing: Bool, milliseconds: Int32) -> Bool {
    csystem_socket_is_ready(fd, writing, milliseconds)
}

/// Has the kernel ask the other end whether it is there: after a second, one packet a second, and a host that leaves
/// five of them without an answer is gone.
public func keepAlive(_ fd: Int32) { csystem_tcp_keep_alive(fd, 1, 1, 5) }
