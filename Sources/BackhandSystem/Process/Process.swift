// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// This process (`getpid`).
public func processID() -> Int32 { getpid() }

/// A number that cannot be guessed (`getrandom`).
public func randomWord() throws(SystemError) -> UInt64 {
    var word: UInt64 = 0
    try checked { getrandom(&word, MemoryLayout<UInt64>.size, 0) }
    return word
}

/// The process that started this one, or 1 or a subreaper if that is gone (`getppid`).
public func parentProcessID() -> Int32 { getppid() }

/// Lets the stop signals (SIGTERM, SIGHUP, SIGINT, SIGUSR1) only set a flag, and only while
/// ``Readiness/wait(milliseconds:)`` waits.
public func catchStopSignals() { csystem_catch_stop_signals() }

/// Whether a stop signal has arrived.
public func stopRequested() -> Bool { csystem_stop_requested() }

/// Whether this process's parent has sent one.
public func stopIsParents() -> Bool { csystem_stop_is_parents() }
