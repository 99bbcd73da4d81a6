// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

extension Moderator {
    /// One tick: looks at this machine, writes our own rows, tells everybody, and publishes what the children noticed.
    func announce(_ writer: inout StatsWriter, now: UInt64) {
        writer.publishFeedback(nowMicroseconds: monotonicNanoseconds() / 1000)
        lastSeen = look()
        lastSeen.setMeans(writer.ownWindow, dispatched: writer.dispatched)
        noteRound(&writer, now: now)
        judgeSilence(&writer, now: now)
        announce(lastSeen, &writer, now: now)
        let silence = UInt64(config.expire_s) * 1000
        if silence > 0, now > writer.listening &+ silence { writer.expire(after: silence, now: now) }
        if now >= beatFrom { bh_word_store(&segment.pointee.beat_ms, now) }
        refused.publish(to: segment, now: now)
        news.tell(rows: writer.rows, routes: plan.routes, now: now)
    }

    /// Tells everybody what was seen, with a new number and our present state.
    func announce(_ seen: bh_facts_t, _ writer: inout StatsWriter, now: UInt64) {
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
            facts.boot_id = bootID(ofSite: sender.route.site)
            facts.address = sender.route.own
            facts.port = sender.route.ownPort
            announced.append(facts)
            send(facts, along: sender.route, sender.socket, writer, now: now)
        }
    }

    /// After a gap, until everybody must have been heard again, ages count to the last beat before it.
    private func noteRound(_ writer: inout StatsWriter, now: UInt64) {
        let last = lastRound == 0 ? bh_word_load(&segment.pointee.beat_ms) : lastRound
        if now > last &+ UInt64(BH_BEAT_LATE_MS) {
            writer.listening = now
            if last != 0 { beatFrom = now &+ interval &+ interval / 2 }
        }
        lastRound = now
    }

    /// Our own rows: one for each site. Several networks are one server: it is known here by its address in the first.
    private func write(_ facts: bh_facts_t, to writer: inout StatsWriter, now: UInt64) {
        for site in plan.sites {
            let own = named(facts, as: site)
            let also = plan.routes.filter { $0.site == site.number }.map { $0.own }
            if site.number == 0 {
                writer.writeSelf(own, also: also, now: now, wall: facts.changed_wall)
            } else if !site.isSame(as: plan.sites[0]) {
                writer.writeOther(own, also: also, now: now, wall: facts.changed_wall)
            }
        }
    }

    private func named(_ facts: bh_facts_t, as site: Site) -> bh_facts_t {
        var facts = facts
        facts.boot_id = bootID(of: site)
        facts.address = site.own
        facts.port = site.ownPort
        return facts
    }

    /// The table knows which addresses are ours.
    func settle(_ writer: inout StatsWriter, now: UInt64) {
        writer.become(otherSelves, now: now)
        for route in plan.routes { writer.claim(route.own, port: route.ownPort, now: now) }
    }

    /// What the sites beside the main server are announced as, for a new writer.
    var otherSelves: [bh_facts_t] {
        plan.sites.dropFirst().filter { !$0.isSame(as: plan.sites[0]) }.map { named(bh_facts_t(), as: $0) }
    }

    private func bootID(of site: Site) -> UInt64 {
        let boot = segment.pointee.boot_id
        if site.number == 0 || site.isSame(as: plan.sites[0]) { return boot }
        // One server has one boot id, whichever way its numbers have come to it.
        return (plan.sites.first { $0.isSame(as: site) } ?? site).bootID(from: boot)
    }

    private func bootID(ofSite number: UInt16) -> UInt64 {
        plan.sites.first { $0.number == number }.map { bootID(of: $0) } ?? segment.pointee.boot_id
    }

    private func look() -> bh_facts_t {
        var missing: [HostFigure] = []
        let sample = sampler.sample { missing.append($0) }
        for figure in missing { tellMissing(figure) }
        var workers = bh_workers_t()
        config.workers?(config.baton, &workers)
        let memory = meanWorkerMemory(workers) { sampler.privateMemory(of: $0) }
        var facts = ownFacts(sample, workers, workerMemory: memory, arriba: arriba)
        facts.stalled_ms = stall.milliseconds(of: workers, now: monotonicNanoseconds() / 1_000_000) { sampler.isStopped($0) }
        facts.slashes = config.slashes
        facts.idle_cost = config.idle_cost
        facts.keepalive_ms = config.keepalive_ms
        facts.keepalive_requests = config.keepalive_requests
        facts.cpu_used = cpuUse.share(of: workers) { sampler.cpuTime(of: $0) }
        facts.capacity =
            config.capacity > 0 ? config.capacity : capacity(arriba: arriba, cores: sampler.usableCores(of: sample.cpus))
        return facts
    }

    private func send(
        _ facts: bh_facts_t, along route: Route, _ socket: UDPSocket, _ writer: StatsWriter, now: UInt64
    ) {
        let length = encodeAnnouncement(facts, signed: signer != nil, into: room)
        guard length > 0 else { return }
        if let signer, !sign(room, length, signer) { return writer.count(BH_COUNT_SEND_FAILED) }
        do throws(SystemError) {
            try socket.send(UnsafeRawBufferPointer(rebasing: room[..<length]), to: route.destination, port: route.port)
            writer.count(BH_COUNT_ANNOUNCED)
            bh_word_store(&segment.pointee.announced_ms, now)
            network.noteSent(route.line, nil, now: now)
        } catch {
            writer.count(BH_COUNT_SEND_FAILED)
            guard !error.isNetworkAway else { return network.noteSent(route.line, error, now: now) }
            guard let count = drops.note(BH_COUNT_SEND_FAILED, now: now) else { return }
            let target = bh_address_t(ipv4: route.destination).text
            log(
                BH_LOG_WARNING, LogNumber.sendFailed,
                "cannot announce to \(target):\(route.port): \(error.text) (\(count) since the last line)")
        }
    }

    private func tellMissing(_ figure: HostFigure) {
        guard !missingFigures.contains(figure) else { return }
        missingFigures.append(figure)
        let name =
            switch figure {
            case .load: "load average"
            case .idle: "idle time of the CPUs"
            case .memory: "memory"
            }
        log(BH_LOG_WARNING, LogNumber.figureMissing, "the system does not tell its \(name): the last known value is announced")
    }
}
