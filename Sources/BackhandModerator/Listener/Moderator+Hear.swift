// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

extension Moderator {
    /// Reads what has arrived, from each socket up to the limit; returns how many datagrams there were, nil if no socket was readable.
    ///
    /// - Parameter first: the first listener's place in the last wait; the others follow.
    func hear(_ writer: inout StatsWriter, _ readiness: Readiness, from first: Int, limit: Int, now: UInt64) -> Int? {
        var read: Int?
        for index in sockets.listeners.indices where readiness.isReadable(first + index) {
            read = (read ?? 0) + empty(sockets.listeners[index].socket, limit: limit, now: now) { place in
                take(inbox.bytes(place), inbox.length(place), from: bh_address_t(ipv4: inbox.sender(place)), port: inbox.port(place), &writer, now: now)
            }
        }
        return read
    }

    /// Takes the socket's datagrams in batches until there are none, or the limit is reached; returns how many there were.
    func empty(_ socket: UDPSocket, limit: Int, now: UInt64, each: (Int) -> Void) -> Int {
        noteLosses(at: socket, now: now)
        var read = 0
        while read < limit {
            let count = inbox.fill(from: socket, most: limit - read)
            for place in 0..<count { each(place) }
            read += count
            if count < Inbox.capacity { break }
        }
        losses.noteReceived(read)
        noteFlood(now: now)
        return read
    }

    /// One datagram: its beginning, and its true length. What needs least work is looked at first.
    private func take(
        _ datagram: UnsafeRawBufferPointer, _ length: Int, from sender: bh_address_t, port: UInt16, _ writer: inout StatsWriter, now: UInt64
    ) {
        writer.count(BH_COUNT_RECEIVED)
        guard isAccepted(sender) else {
            if isOwn(datagram, length, from: sender, writer) { return writer.count(BH_COUNT_OWN) }
            return drop(BH_COUNT_NOT_ACCEPTED, from: sender, writer, now: now)
        }
        guard length <= announcementLimit else { return drop(BH_COUNT_OVERSIZED, from: sender, writer, now: now) }
        switch decodeAnnouncement(datagram) {
        case .dropped(let counter):
            drop(counter, from: sender, writer, now: now)
        case .announcement(let facts):
            if let useless = uselessness(facts, datagram, from: sender, writer, now: now) { return writer.count(useless) }
            if let wrong = forgery(datagram, from: sender, now: now) { return drop(wrong, from: sender, writer, now: now) }
            take(facts, isSigned: SignedParts(datagram) != nil, from: sender, port: port, &writer, now: now)
        }
    }

    /// An announcement that has the right signature, if one is needed.
    private func take(
        _ facts: bh_facts_t, isSigned: Bool, from sender: bh_address_t, port: UInt16, _ writer: inout StatsWriter, now: UInt64
    ) {
        if writer.isOwn(bootID: facts.boot_id) { return writer.count(BH_COUNT_OWN) }
        if let wrong = steering(facts, from: sender, isSigned: isSigned && signer != nil) { return drop(wrong, from: sender, writer, now: now) }
        if writer.needsProof(facts, now: now) { return challenge(facts, at: sender, port: port, writer, now: now) }
        if isSigned, writer.wantsProof(facts) { challenge(facts, at: sender, port: port, writer, now: now) }
        if isSigned, signer == nil { warnOfKey(facts, now: now) }
        enter(facts, isSigned ? .signed : .none, from: sender, &writer, now: now)
    }

    /// Writes what is accepted to the table. Only what has come so far counts for a sender's newcomers: recordings and forgeries do not.
    func enter(_ facts: bh_facts_t, _ proof: Proof, from sender: bh_address_t, _ writer: inout StatsWriter, now: UInt64) {
        if isImpersonation(facts, writer) { return drop(BH_COUNT_OWN_ADDRESS, from: sender, writer, now: now) }
        if writer.isNew(facts), !newcomers.admit(sender, now: now) { return drop(BH_COUNT_CROWD, from: sender, writer, now: now) }
        let isStranger = writer.isStranger(bootID: facts.boot_id)
        let wall = wallSeconds()
        var facts = facts
        facts.clock_s = signer == nil ? 0 : ahead(wall, of: facts.changed_wall)
        let heard = writer.hear(facts, from: sender, proof: proof, now: now, wall: wall)
        if case .row(let id) = heard {
            refused.forgetUnproven(sender)
            warnOfClock(facts, now: now)
            warnOfSlashes(facts, id, isStranger, now: now)
            if isStranger { announcer.greeting.begin(now: now, us: segment.pointee.boot_id, servers: writer.rows) }
        }
        // Counted by the writer already.
        if heard == .tableFull {
            refused.note(sender, BH_COUNT_TABLE_FULL, now: now)
            tellDrop(BH_COUNT_TABLE_FULL, from: sender, now: now)
        }
    }

    /// Whether another httpd takes our place, by a copied configuration or on purpose: a row for it would make us proxy to
    /// ourselves.
    private func isImpersonation(_ facts: bh_facts_t, _ writer: StatsWriter) -> Bool {
        // A server that takes over the main server's address while that is not ours is one: row 0 stands for us all the same.
        !writer.isOwn(bootID: facts.boot_id)
            && (plan.routes.contains { $0.own == facts.address && $0.ownPort == facts.port }
                || plan.sites.dropFirst().contains { $0.own == facts.address && $0.ownPort == facts.port })
    }

    func isAccepted(_ sender: bh_address_t) -> Bool {
        for network in UnsafeBufferPointer(start: config.accepted, count: config.accepted_count)
        where network.contains(sender) {
            return true
        }
        return false
    }

    /// Whether this is our own announcement, heard back by an httpd that does not accept itself: nothing to warn of.
    private func isOwn(_ datagram: UnsafeRawBufferPointer, _ length: Int, from sender: bh_address_t, _ writer: StatsWriter) -> Bool {
        guard length <= announcementLimit, plan.routes.contains(where: { $0.local == sender.ipv4 }),
            case .announcement(let facts) = decodeAnnouncement(datagram)
        else { return false }
        return writer.isOwn(bootID: facts.boot_id)
    }

    func drop(_ counter: bh_counter_t, from sender: bh_address_t, _ writer: StatsWriter, now: UInt64) {
        writer.count(counter)
        refused.note(sender, counter, now: now)
        if isFilterable(counter) { flood.note() }
        tellDrop(counter, from: sender, now: now)
    }

    private func tellDrop(_ counter: bh_counter_t, from sender: bh_address_t, now: UInt64) {
        guard let line = dropLine(counter), let count = drops.note(counter, now: now) else { return }
        log(
            BH_LOG_WARNING, line.number, "a datagram from {} was dropped: {} ({} since the last line)", .text(sender.text), .word(line.why), .number(count))
    }
}
