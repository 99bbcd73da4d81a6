// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Connections to a server of this machine, as the kernel counts them.
public struct Connections: Equatable, Sendable {
    /// All of them.
    public var open: UInt32
    /// Those that no process has accepted yet.
    public var waiting: UInt32
    /// Checks that no process has accepted yet; in neither of the two.
    public var waitingChecks: UInt32
    /// The number of the control group of the process that listens; 0: not known.
    public var group: UInt64

    /// These.
    public init(open: UInt32, waiting: UInt32, waitingChecks: UInt32 = 0, group: UInt64 = 0) {
        (self.open, self.waiting, self.waitingChecks, self.group) = (open, waiting, waitingChecks, group)
    }

    /// Those to this IPv4 address and port, in host byte order (sock_diag).
    ///
    /// - Parameter checks: how many of those that come from the address itself are counted as checks, at most.
    public init(toIPv4 address: UInt32, port: UInt16, checks: UInt32) throws(SystemError) {
        var found = csystem_connections()
        try checked { csystem_connections(address, port, checks, &found) }
        self.init(
            open: found.open, waiting: found.waiting, waitingChecks: found.waiting_checks, group: found.group)
    }
}
