// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Descriptors to wait for, and what they are ready for (`ppoll`).
///
/// Filled again before each wait; its memory is kept from one to the next.
public struct Readiness {
    private var entries: [pollfd] = []

    /// An empty list.
    public init() {}

    /// Empties the list and keeps its memory.
    public mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
    }

    /// Adds a descriptor; returns its place for the questions below.
    @discardableResult
    public mutating func add(_ fd: Int32, reading: Bool, writing: Bool) -> Int {
        let events = (reading ? Int16(POLLIN) : 0) | (writing ? Int16(POLLOUT) : 0)
        entries.append(pollfd(fd: fd, events: events, revents: 0))
        return entries.count - 1
    }

    /// Waits with the stop signals open, until something is ready, the time is over or a signal has arrived.
    public mutating func wait(milliseconds: Int) {
        let timeout = Int32(clamping: milliseconds)
        let ready = entries.withUnsafeMutableBufferPointer { room in
            var nothing = pollfd()
            guard let start = room.baseAddress else { return csystem_wait(&nothing, 0, timeout) }
            return csystem_wait(start, room.count, timeout)
        }
        if ready >= 0 { return }
        for place in entries.indices {
            entries[place].revents = 0
        }
    }

    /// Whether reading would not wait. True on hang-up and error too: the read tells which.
    public func isReadable(_ place: Int) -> Bool {
        entries[place].revents & ~Int16(POLLOUT) != 0
    }

    /// Whether writing would not wait. True on error too.
    public func isWritable(_ place: Int) -> Bool {
        entries[place].revents & (Int16(POLLOUT) | Int16(POLLERR) | Int16(POLLHUP)) != 0
    }
}
