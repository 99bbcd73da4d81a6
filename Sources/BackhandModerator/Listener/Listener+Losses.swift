// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

// More datagrams than can be read: the kernel drops what is not for us by a filter, and what finds no room in a buffer.

extension Listener {
    /// Begins or ends to filter, where what was read is reason to.
    func noteFlood(now: UInt64) {
        switch gatekeeper.flood.look(now: now) {
        case .begins:
            beginFiltering()
            guard isFiltering, let count = floodLine.note(now: now) else { return }
            log(
                BH_LOG_WARNING, LogNumber.flood,
                """
                more than 1000 datagrams a second are none of this cluster's: the kernel drops them unread ({} times \
                since the last line)
                """,
                .number(count))
        case .ends: stopFiltering()
        case nil: break
        }
    }

    /// What a predecessor began is not our flood yet.
    func stopFiltering() {
        isFiltering = false
        _ = sockets.filter(with: nil)
    }

    /// Sockets that were opened since the filter began have it too.
    func filterNewSockets() {
        if gatekeeper.flood.isFlood { beginFiltering() }
    }

    /// All sockets have the filter from now on, or none: what is dropped is told by that.
    private func beginFiltering() {
        isFiltering = sockets.filter(with: gatekeeper.socketFilter)
        if !isFiltering { _ = sockets.filter(with: nil) }
    }

    /// Counts what the kernel has dropped before a socket that we are about to read.
    func noteLosses(at socket: UDPSocket, now: UInt64) {
        guard let buffer = socket.receiveBuffer else { return }
        let dropped = losses.note(buffer, of: socket.fd, filters: isFiltering)
        if dropped.filtered > 0 { bh_counter_add_many(segment, BH_COUNT_FILTERED.rawValue, dropped.filtered) }
        guard dropped.overflowed > 0 else { return }
        bh_counter_add_many(segment, BH_COUNT_OVERFLOWED.rawValue, dropped.overflowed)
        guard lossLine.isDue(now: now) else { return }
        log(
            BH_LOG_WARNING, LogNumber.overflowed,
            """
            the kernel dropped {} datagrams because the socket's buffer was full: while many are lost, silence does \
            not count against servers
            """,
            .number(dropped.overflowed))
    }

    /// Once a round: while announcements may be lost on their way to us, servers do not grow older by that.
    func updateAgeClock(_ writer: inout StatsWriter, interval: UInt64, now: UInt64) {
        noteFlood(now: now)
        if losses.closeRound(now: now, interval: interval) { writer.listening = now }
        bh_word_store(&segment.pointee.deaf_ms, losses.ageClock)
    }
}
