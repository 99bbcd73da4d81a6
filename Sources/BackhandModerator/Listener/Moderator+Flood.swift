// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

// What we do against more datagrams than we can read.

extension Moderator {
    /// Whether the socket filter drops such datagrams too.
    func isFilterable(_ counter: bh_counter_t) -> Bool {
        switch counter {
        case BH_COUNT_NOT_ACCEPTED: !networks.isEmpty && networks.count <= SocketFilter.mostNetworks
        case BH_COUNT_FOREIGN: true
        case BH_COUNT_UNSIGNED: isKeyRequired
        default: false
        }
    }

    /// Begins or ends to filter, where what was read is reason to.
    func noteFlood(now: UInt64) {
        switch flood.look(now: now) {
        case .begins:
            beginFiltering()
            guard isFiltering, let count = drops.note(BH_COUNT_FILTERED, now: now) else { return }
            log(
                BH_LOG_WARNING, LogNumber.flood,
                "more than 1000 datagrams a second are none of this cluster's: the kernel drops them unread (\(count) times since the last line)")
        case .ends: stopFiltering()
        case nil: break
        }
    }

    /// What a predecessor began is no flood of ours yet.
    func stopFiltering() {
        isFiltering = false
        _ = filter(with: nil)
    }

    /// Sockets that were opened since the filter began have it too.
    func filterNewSockets() {
        if flood.isFlood { beginFiltering() }
    }

    /// All sockets have the filter from now on, or none: what is dropped is told by that.
    private func beginFiltering() {
        isFiltering = filter(with: socketFilter)
        if !isFiltering { _ = filter(with: nil) }
    }

    /// Counts what the kernel has dropped before a socket that we are about to read.
    func noteLosses(at socket: UDPSocket, now: UInt64) {
        guard let buffer = socket.receiveBuffer else { return }
        let dropped = losses.note(buffer, of: socket.fd, filters: isFiltering)
        if dropped.filtered > 0 { bh_counter_add_many(segment, BH_COUNT_FILTERED.rawValue, dropped.filtered) }
        guard dropped.lost > 0 else { return }
        bh_counter_add_many(segment, BH_COUNT_LOST.rawValue, dropped.lost)
        guard drops.note(BH_COUNT_LOST, now: now) != nil else { return }
        log(
            BH_LOG_WARNING, LogNumber.lost,
            "the kernel dropped \(dropped.lost) datagrams because the socket's buffer was full: while many are lost, silence does not count against servers")
    }

    /// Once a round: while announcements may be lost on their way to us, servers do not grow older by that.
    func judgeSilence(_ writer: inout StatsWriter, now: UInt64) {
        noteFlood(now: now)
        if losses.closeRound(now: now, interval: interval) { writer.listening = now }
        bh_word_store(&segment.pointee.deaf_ms, losses.ageClock)
    }

    /// Whether all sockets have the filter; where the system has none, everything is read as before.
    private func filter(with filter: SocketFilter?) -> Bool {
        do throws(SystemError) {
            for one in sockets.listeners { try one.socket.filter(with: filter) }
            for one in sockets.senders { try one.socket.filter(with: filter) }
            return true
        } catch {
            return false
        }
    }

    /// Passes what begins as all datagrams of ours, is signed if it must be, and comes from AcceptStats.
    private var socketFilter: SocketFilter {
        var marks = [SocketFilter.Mark(offset: 0, number: magic)]
        if isKeyRequired { marks.append(SocketFilter.Mark(offset: -Int32(signatureSize) - 4, number: signatureHead)) }
        return SocketFilter(marks: marks, networks: networks)
    }
}
