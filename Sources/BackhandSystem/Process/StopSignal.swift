// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Lets the stop signals (SIGTERM, SIGHUP, SIGINT, SIGUSR1) only set a flag, and only while
/// ``Readiness/wait(milliseconds:)`` waits.
public func catchStopSignals() { csystem_catch_stop_signals() }

/// Whether a stop signal has arrived.
public func stopRequested() -> Bool { csystem_stop_signal() != 0 }

/// Whether this process's parent has sent one.
public func stopIsParents() -> Bool { csystem_stop_is_parents() }

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
