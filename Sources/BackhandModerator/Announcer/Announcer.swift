// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

/// Tells all others what this server is and how it does, and writes the same to its own rows.
final class Announcer {
    let config: bh_moderator_config_t
    let segment: UnsafeMutablePointer<bh_segment_t>
    let log: Log
    private let sockets: Sockets
    private let network: NetworkFollower
    /// nil: announcements are not signed.
    private let signer: Signer?
    private let server: OwnServer
    private let checks: Checks
    /// What was seen of this server last.
    private var seen = bh_facts_t()
    /// What each route announced last, for answers to challenges.
    private(set) var announced: [bh_facts_t] = []
    private var failures = Minute()
    /// Announcements out of turn: for servers that have just come, and where our own state has changed.
    var greeting = Greeting()
    var farewell = Farewell()
    var shutdown = ShutdownDetector()
    /// Announcements are made in this.
    private let outbox = Outbox(size: announcementLimit)

    init(
        _ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>, _ log: Log, _ sockets: Sockets,
        _ network: NetworkFollower, _ signer: Signer?, _ checks: Checks
    ) {
        self.config = config
        self.segment = segment
        self.log = log
        self.sockets = sockets
        self.network = network
        self.signer = signer
        self.checks = checks
        server = OwnServer(config, log)
    }

    func close() { server.close() }

    private var plan: NetworkPlan { network.plan }

    /// The speed of this machine must be known before anything is announced.
    func prepare() {
        bh_public_store(&segment.pointee.arriba, server.prepareArriba())
    }

    /// Looks at this machine and at what the last second brought: announcements say that until the next look.
    func look(_ writer: StatsWriter) {
        seen = server.look()
        seen.setMeans(writer.ownWindow, dispatched: writer.dispatched)
    }

    /// Takes what the moderator before announced last for what is seen: a first look takes time.
    func recall() {
        let own = bh_segment_row(segment, 0)
        if bh_row_heard(own) != 0 { _ = bh_row_copy(own, &seen) }
    }

    /// Announces what was seen, with a new number and our present state.
    func announce(_ writer: inout StatsWriter, now: UInt64) {
        guard !config.listens_only else { return }
        var facts = seen
        facts.state = ownState
        facts.sequence = bh_word_load(&segment.pointee.sequence) &+ 1
        facts.arrivals = bh_word_load(&segment.pointee.arrivals)
        facts.load_hwm = loadHighWaterMark(segment, rows: writer.rows)
        facts.changed_wall = wallSeconds()
        facts.sent_ms = now
        facts.setHostname(config.hostname)
        bh_word_store(&segment.pointee.sequence, facts.sequence)
        write(facts, to: &writer, now: now)
        // The mark covers our own new load too, which the table has only now.
        let mark = loadHighWaterMark(segment, rows: writer.rows)
        if mark != facts.load_hwm {
            facts.load_hwm = mark
            write(facts, to: &writer, now: now)
        }
        announced.removeAll(keepingCapacity: true)
        for sender in sockets.senders {
            var own = facts
            own.boot_id = bootID(ofVirtualHost: sender.route.vhost)
            own.address = sender.route.own
            own.port = sender.route.ownPort
            describe(sender.route.vhost, &own)
            announced.append(own)
            send(own, along: sender.route, sender.socket, writer, now: now)
        }
    }

    /// Adds what is known of one server beside its machine.
    private func describe(_ vhost: UInt16, _ facts: inout bh_facts_t) {
        config.server?(config.baton, vhost, checks.underWay(vhost), &facts)
        checks.describe(vhost, &facts)
    }

    /// What each socket announced last is not known of new ones.
    func forgetAnnounced() {
        announced.removeAll(keepingCapacity: true)
    }

    /// Whether an announcement out of turn is due now; if so, it is taken for made.
    func takeExtra(now: UInt64) -> Bool { farewell.take(now: now) || greeting.take(now: now) }

    /// Milliseconds until the next announcement out of turn, or until the next look whether httpd stops; nil if there
    /// is none.
    func wait(now: UInt64) -> UInt64? {
        let extra = soonest(farewell.wait(now: now), greeting.wait(now: now))
        return soonest(extra, shutdown.wait(now: now))
    }

    private func soonest(_ one: UInt64?, _ other: UInt64?) -> UInt64? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    private func send(
        _ facts: bh_facts_t, along route: Route, _ socket: UDPSocket, _ writer: StatsWriter, now: UInt64
    ) {
        var length = encodeAnnouncement(facts, signed: signer != nil, into: outbox.room)
        guard length > 0 else { return }
        if let signer {
            if let announce = config.extension?.pointee.announce {
                length = announce(segment, now, outbox.room.baseAddress!, length, announcementLimit)
            }
            if !signer.sign(outbox.room, length) { return writer.count(BH_COUNT_SEND_FAILED) }
        }
        do throws(SystemError) {
            try outbox.send(length, to: route.destination, port: route.port, with: socket)
            writer.count(BH_COUNT_ANNOUNCED)
            bh_word_store(&segment.pointee.announced_ms, now)
            network.noteSent(route.line, nil, now: now)
        } catch {
            writer.count(BH_COUNT_SEND_FAILED)
            guard !error.isNetworkAway else { return network.noteSent(route.line, error, now: now) }
            guard let count = failures.note(now: now) else { return }
            log(
                BH_LOG_WARNING, LogNumber.sendFailed, "cannot announce to {}: {} ({} since the last line)",
                .place(bh_address_t(ipv4: route.destination), route.port), .text(error.message), .number(count))
        }
    }

    // ---- Under which addresses ----

    /// Our own rows: one for each virtual host. Several networks are one server: it is known here by its address in the
    /// first.
    private func write(_ facts: bh_facts_t, to writer: inout StatsWriter, now: UInt64) {
        for vhost in plan.vhosts {
            var own = named(facts, as: vhost)
            describe(vhost.number, &own)
            let also = plan.routes.filter { $0.vhost == vhost.number }.map { $0.own }
            if vhost.number == 0 {
                writer.writeSelf(own, also: also, now: now, wall: facts.changed_wall)
            } else if !vhost.isSame(as: plan.vhosts[0]) {
                writer.writeOther(own, also: also, now: now, wall: facts.changed_wall)
            }
        }
    }

    /// Tells the table which addresses are ours.
    func claimOwnAddresses(_ writer: inout StatsWriter, now: UInt64) {
        writer.become(otherSelves, now: now)
        for route in plan.routes { writer.claim(route.own, port: route.ownPort, now: now) }
    }

    /// What the virtual hosts beside the main server are announced as, for a new writer.
    var otherSelves: [bh_facts_t] {
        plan.vhosts.dropFirst().filter { !$0.isSame(as: plan.vhosts[0]) }.map { named(bh_facts_t(), as: $0) }
    }

    private func named(_ facts: bh_facts_t, as vhost: VirtualHost) -> bh_facts_t {
        var facts = facts
        facts.boot_id = bootID(of: vhost)
        facts.address = vhost.own
        facts.port = vhost.ownPort
        return facts
    }

    private func bootID(of vhost: VirtualHost) -> UInt64 {
        let boot = segment.pointee.boot_id
        // Which one is the first says nothing of it, and another program of this machine may have the same word.
        if config.alone { return vhost.bootID(from: boot) }
        if vhost.number == 0 || vhost.isSame(as: plan.vhosts[0]) { return boot }
        // One server has one boot id, whichever way its numbers have come to it.
        return (plan.vhosts.first { $0.isSame(as: vhost) } ?? vhost).bootID(from: boot)
    }

    private func bootID(ofVirtualHost number: UInt16) -> UInt64 {
        plan.vhosts.first { $0.number == number }.map { bootID(of: $0) } ?? segment.pointee.boot_id
    }
}
