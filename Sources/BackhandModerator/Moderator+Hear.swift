// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

extension Moderator {
    /// Reads what has arrived, from each socket up to the limit; returns whether there was anything.
    ///
    /// - Parameter first: the first listener's place in the last wait; the others follow.
    func hear(_ writer: inout StatsWriter, _ readiness: Readiness, from first: Int, limit: Int, now: UInt64) -> Bool {
        var any = false
        for index in sockets.listeners.indices where readiness.isReadable(first + index) {
            any = true
            var (sender, port, left) = (UInt32(0), UInt16(0), limit)
            while left > 0, let length = sockets.listeners[index].receive(into: room, sender: &sender, port: &port) {
                left -= 1
                take(length, from: bh_address_t(ipv4: sender), port: port, &writer, now: now)
            }
        }
        return any
    }

    /// One datagram, whose beginning is in the room.
    private func take(_ length: Int, from sender: bh_address_t, port: UInt16, _ writer: inout StatsWriter, now: UInt64) {
        writer.count(BH_COUNT_RECEIVED)
        guard isAccepted(sender) else {
            if isOwn(length, from: sender, writer) { return writer.count(BH_COUNT_OWN) }
            return drop(BH_COUNT_NOT_ACCEPTED, from: sender, writer, now: now)
        }
        guard length <= announcementLimit else { return drop(BH_COUNT_OVERSIZED, from: sender, writer, now: now) }
        let datagram = UnsafeRawBufferPointer(rebasing: room[..<length])
        switch decodeAnnouncement(datagram) {
        case .dropped(let counter):
            drop(counter, from: sender, writer, now: now)
        case .announcement(let facts):
            if let wrong = forgery(datagram) { return drop(wrong, from: sender, writer, now: now) }
            take(facts, from: sender, port: port, &writer, now: now)
        }
    }

    /// An announcement that has the right signature, if one is needed.
    private func take(_ facts: bh_facts_t, from sender: bh_address_t, port: UInt16, _ writer: inout StatsWriter, now: UInt64) {
        if writer.isOwn(bootID: facts.boot_id) { return writer.count(BH_COUNT_OWN) }
        if let wrong = steering(facts, from: sender) { return drop(wrong, from: sender, writer, now: now) }
        if writer.isNew(facts), !newcomers.admit(sender, now: now) {
            return drop(BH_COUNT_CROWD, from: sender, writer, now: now)
        }
        if writer.needsProof(facts, now: now) { return challenge(facts, at: sender, port: port, writer, now: now) }
        enter(facts, from: sender, &writer, now: now)
    }

    /// Writes what is believed to the table.
    func enter(_ facts: bh_facts_t, from sender: bh_address_t, _ writer: inout StatsWriter, now: UInt64) {
        if isImpersonation(facts, writer) { return drop(BH_COUNT_OWN_ADDRESS, from: sender, writer, now: now) }
        let heard = writer.hear(facts, now: now, wall: wallSeconds())
        // Counted by the writer already.
        if heard == .tableFull { tellDrop(BH_COUNT_TABLE_FULL, from: sender, now: now) }
    }

    /// Whether another httpd takes our place, by a copied configuration or on purpose: a row for it would make us proxy to
    /// ourselves.
    private func isImpersonation(_ facts: bh_facts_t, _ writer: StatsWriter) -> Bool {
        !writer.isOwn(bootID: facts.boot_id)
            && plan.routes.contains { $0.own == facts.address && $0.ownPort == facts.port }
    }

    func isAccepted(_ sender: bh_address_t) -> Bool {
        for network in UnsafeBufferPointer(start: config.accepted, count: config.accepted_count)
        where network.contains(sender) {
            return true
        }
        return false
    }

    /// Whether this is our own announcement, heard back by an httpd that does not accept itself: nothing to warn of.
    private func isOwn(_ length: Int, from sender: bh_address_t, _ writer: StatsWriter) -> Bool {
        guard length <= announcementLimit, plan.routes.contains(where: { $0.local == sender.ipv4 }),
            case .announcement(let facts) = decodeAnnouncement(UnsafeRawBufferPointer(rebasing: room[..<length]))
        else { return false }
        return writer.isOwn(bootID: facts.boot_id)
    }

    func drop(_ counter: bh_counter_t, from sender: bh_address_t, _ writer: StatsWriter, now: UInt64) {
        writer.count(counter)
        tellDrop(counter, from: sender, now: now)
    }

    private func tellDrop(_ counter: bh_counter_t, from sender: bh_address_t, now: UInt64) {
        guard let line = dropLine(counter), let count = drops.note(counter, now: now) else { return }
        log(
            BH_LOG_WARNING, line.number,
            "a datagram from \(sender.text) was dropped: \(line.why) (\(count) since the last line)")
    }

    /// Says that no client of the control socket can be let in, not more often than drops are told.
    func tellControlFailure(_ error: SystemError, now: UInt64) {
        guard now >= controlSilentUntil else { return }
        controlSilentUntil = now &+ 60_000
        log(BH_LOG_WARNING, LogNumber.controlFailed, "the control socket takes no client: \(error.text)")
    }
}
