// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
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

/// What a program does first that no httpd has forked: docs/architecture.md.
public func beginDaemon() { csystem_begin_daemon() }

/// Whether this process has root's rights.
public var isRoot: Bool { geteuid() == 0 }

/// As if none had arrived.
public func forgetStopSignal() { csystem_stop_forget() }

/// A value of the environment; nil: there is none (`getenv`).
public func environment(_ name: [UInt8]) -> [UInt8]? {
    Path(Message(name)).withCString { name in getenv(name).map { Array(Word($0).bytes) } }
}

/// Writes to standard error what fits (`write`).
public func writeToStandardError(_ text: Message) {
    text.bytes.withUnsafeBytes { bytes in _ = bytes.baseAddress.map { write(STDERR_FILENO, $0, bytes.count) } }
}

/// The name of this machine (`gethostname`); empty: it has none.
public func machineName() -> Message {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { room in
        guard let start = room.baseAddress, gethostname(start, room.count - 1) == 0 else { return Message() }
        start[room.count - 1] = 0
        return Message(Word(start))
    }
}
