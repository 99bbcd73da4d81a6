// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// What this process or this machine lacks, so that no connection comes about whatever the server does.
///
/// mod_proxy only says that there is none, and writes the reason into the log. A child without a free descriptor would
/// put all servers into back-off, for all other children too. So after a refusal that came at once the child asks the
/// kernel itself: a socket, and a connection to the same address. What the process lacks, it lacks again; a server that
/// refuses, refuses again.
public enum Shortage {
    /// A shortage is mostly over as soon as other requests of the process are: looked for that often, in that time. The
    /// client and its thread wait for 1.5 s at most.
    private static var looks: Int { 30 }
    private static var lookMicroseconds: UInt32 { 50_000 }

    /// Descriptors that are left when the process is short of them: its other threads have come and gone since the
    /// request was refused.
    private static var short: UInt64 { 8 }

    /// What the errno says that is lacking; nil: it may be about the server.
    public static func name(_ code: Int32) -> StaticString? {
        switch code {
        case EADDRNOTAVAIL: "a port of its own"
        case EMFILE, ENFILE: "descriptors"
        case ENOBUFS, ENOMEM: "memory"
        default: nil
        }
    }

    /// Waits until there is a descriptor again; false: there is none.
    public static func isOver() -> Bool {
        for _ in 0..<looks {
            usleep(lookMicroseconds)
            if csystem_free_descriptor() >= 0 { return true }
        }
        return false
    }

    /// Whether few descriptors are left.
    public static var isNear: Bool {
        let free = csystem_free_descriptor()
        return free < 0 || csystem_descriptor_limit() &- UInt64(free) < short
    }
}

/// What the kernel says to a TCP connection, which is closed at once: an errno; 0: there was one (`connect`, `poll`).
public func tryConnection(high: UInt64, low: UInt64, port: UInt16, milliseconds: Int32) -> Int32 {
    csystem_tcp_try(high, low, port, milliseconds)
}
