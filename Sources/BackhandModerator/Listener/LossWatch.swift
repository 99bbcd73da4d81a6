// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem

/// Finds out what the kernel has dropped before our sockets, and until when ages of servers mean anything.
///
/// The kernel has one count for what a filter does not pass and for what finds no room (SO_RXQ_OVFL shows the same).
/// While there is a filter, they are told apart by how full the buffer is when we come to read: nothing has overflowed
/// where there is room. Milliseconds of CLOCK_MONOTONIC.
struct LossWatch {
    /// Silence is not held against servers for longer than this, if datagrams are lost all the time.
    private static var patience: UInt64 { 10_000 }
    /// A round that lost no more than one in this many proves what was silent in it: three in a row lost are one in
    /// thirty thousand.
    private static var share: UInt64 { 32 }

    private struct Socket {
        var fd: Int32
        var dropped: UInt32
    }

    private var sockets: [Socket] = []
    /// In this round.
    private(set) var overflowed: UInt64 = 0
    private var received: UInt64 = 0
    /// When the last round without loss ended.
    private var soundUntil: UInt64 = 0
    /// Ages count to this while it is not 0.
    private(set) var ageClock: UInt64 = 0
    /// When all servers that are there have been heard again.
    private var heardAgain: UInt64?

    /// What was dropped before a socket since the last look at it.
    ///
    /// - Parameter filters: whether there was a filter all the time.
    mutating func note(_ buffer: ReceiveBuffer, of fd: Int32, filters: Bool) -> (overflowed: UInt64, filtered: UInt64) {
        guard let place = sockets.firstIndex(where: { $0.fd == fd }) else {
            sockets.append(Socket(fd: fd, dropped: buffer.dropped))
            return (0, 0)
        }
        let more = buffer.dropped &- sockets[place].dropped
        sockets[place].dropped = buffer.dropped
        // Less than before: another socket has the number now.
        guard more != 0, more < .max / 2 else { return (0, 0) }
        if filters, !buffer.isFull { return (0, UInt64(more)) }
        overflowed &+= UInt64(more)
        return (UInt64(more), 0)
    }

    mutating func noteReceived(_ count: Int) {
        received &+= UInt64(count)
    }

    /// Ends a round, of which each server uses one to announce itself. Returns whether servers are heard without gaps
    /// again, after it was not so.
    mutating func closeRound(now: UInt64, interval: UInt64) -> Bool {
        let hasLost = overflowed &* Self.share > received &+ overflowed
        (overflowed, received) = (0, 0)
        if hasLost {
            heardAgain = nil
            if ageClock == 0, soundUntil != 0 { ageClock = soundUntil }
            if ageClock != 0, now >= ageClock &+ Self.patience { ageClock = now &- Self.patience }
            return false
        }
        guard ageClock != 0 else {
            soundUntil = now
            return false
        }
        guard let again = heardAgain else {
            heardAgain = now &+ interval &+ interval / 2
            return false
        }
        guard now >= again else { return false }
        (ageClock, heardAgain, soundUntil) = (0, nil, now)
        return true
    }
}
