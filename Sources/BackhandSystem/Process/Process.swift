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

/// What a program does first that no httpd has forked: docs/architecture.md.
public func beginDaemon() { csystem_begin_daemon() }

/// What a process does first that httpd has forked: it gets a name, and httpd's handlers of signals are not its own.
public func beginHelper(_ name: UnsafePointer<CChar>) { csystem_begin_helper(name) }

/// What it does when it has the rights that it keeps: it gets no others, and ends with its parent.
///
/// - Returns: false if the parent is gone already.
public func tieHelper(toParent parent: Int32) -> Bool { csystem_tie_helper(parent) }

/// Blocks the stop signals, or has them as they were before.
public func holdSignals(_ holds: Bool) { csystem_hold_signals(holds) }

/// Whether this process has root's rights.
public var isRoot: Bool { geteuid() == 0 }

/// A value of the environment; nil: there is none (`getenv`).
public func environment(_ name: [UInt8]) -> [UInt8]? {
    Path(Message(name)).withCString { name in getenv(name).map { Array(Word($0).bytes) } }
}

/// The name of this machine (`gethostname`); empty: it has none.
public func machineName() -> Message {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { room in
        guard let start = room.baseAddress, gethostname(start, room.count - 1) == 0 else { return Message() }
        start[room.count - 1] = 0
        return Message(Word(start))
    }
}
