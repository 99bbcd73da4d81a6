// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand
internal import CSystem

/// What the kernel says about a connection that mod_proxy could not make. mod_proxy itself tells nothing but that.
public struct FailedConnection {
    /// Microseconds: a shortage is known at once, and what took longer has waited for the server.
    private static var atOnce: UInt64 { 1_000_000 }
    /// Milliseconds that a second connection may take: in one cluster a handshake takes a few. Longer than that, and
    /// the server is to blame.
    private static var tryMilliseconds: Int32 { 200 }

    /// The errno of a second connection; 0: there was one.
    public let code: Int32
    private let hasWaitedForBody: Bool

    /// Of an attempt that has just ended.
    ///
    /// - Parameter attempt: the errno of a connection within these milliseconds; 0: there was one.
    public init(_ shown: bh_result_t, _ attempt: (Int32) -> Int32) {
        // A body is waited for before the server is connected to.
        code = shown.ended_us &- shown.began_us > Self.atOnce ? ETIMEDOUT : attempt(Self.tryMilliseconds)
        hasWaitedForBody = shown.has_body
    }

    /// The errno for the log; 0: not known.
    public var why: Int32 { code == ETIMEDOUT && hasWaitedForBody ? 0 : code }

    /// Adds what it means to the attempt's result.
    ///
    /// - Parameters:
    ///   - isLookedUp: perhaps the lookup of the server's address has failed, and no connection.
    ///   - isShortage: this process lacks something, and the server has nothing to do with it.
    public func note(in shown: inout bh_result_t, isLookedUp: Bool, isShortage: Bool) {
        if code == 0 { shown.reached = !isLookedUp }
        guard isShortage else { return }
        shown.lacks = true
        // Without a port of its own, another server may still be connected to.
        if code != EADDRNOTAVAIL { shown.outcome = BH_OUTCOME_STARVED }
    }
}
