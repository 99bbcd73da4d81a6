// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Lets the stop signals (SIGTERM, SIGHUP, SIGINT, SIGUSR1) only set a flag, and only while
/// ``Readiness/wait(milliseconds:)`` waits.
public func catchStopSignals() { csystem_catch_stop_signals() }

/// Whether a stop signal has arrived.
public func stopRequested() -> Bool { csystem_stop_signal() != 0 }

/// Which processes have sent a stop signal. The signal of a parent's death counts as none of them.
public struct StopSenders: OptionSet, Sendable {
    /// A bit for each.
    public let rawValue: UInt8
    /// Of these bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// This process's parent.
    public static let parent = StopSenders(rawValue: 1)
    /// Any other: an administrator, a service manager, the terminal.
    public static let another = StopSenders(rawValue: 2)
}

/// Those that have sent one to this process.
///
/// Of equal signals that arrive before the first is looked at, the system keeps one: a sender may be missing.
public func stopSenders() -> StopSenders {
    var senders: StopSenders = []
    if csystem_stop_is_parents() { senders.insert(.parent) }
    if csystem_stop_is_anothers() { senders.insert(.another) }
    return senders
}

/// A signal that ends the moderator.
public enum StopSignal: Equatable, Sendable {
    /// SIGTERM or SIGINT: for good.
    case end
    /// SIGHUP: the configuration is to be read again.
    case reload
    /// SIGUSR1: another process takes over at once.
    case replace
}

/// Which of them has arrived last; nil: none.
public func stopSignal() -> StopSignal? {
    switch csystem_stop_signal() {
    case 0: nil
    case SIGHUP: .reload
    case SIGUSR1: .replace
    default: .end
    }
}

/// As if none had arrived.
public func forgetStopSignal() { csystem_stop_forget() }
