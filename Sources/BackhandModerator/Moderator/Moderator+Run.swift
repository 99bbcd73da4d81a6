// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

extension Moderator {
    /// After reading, datagrams gather for this many milliseconds: a thousand servers then cost a hundred wake-ups a
    /// second, not a thousand. Far below anything that one-second-old figures could tell.
    private static var gathering: UInt64 { 10 }
    /// Where this many came at once, there is no time to gather: the smallest buffer that systems give holds about four
    /// times as many.
    private static var crowd: Int { 100 }
    /// Most datagrams read from one socket before the clock is looked at again: they take a few milliseconds.
    private static var readLimit: Int { 4096 }

    /// The work itself.
    ///
    /// - Parameters:
    ///   - attention: most milliseconds that pass between two looks at stop, the parent and the owner.
    ///   - stop: whether to end; asked after each wait.
    ///   - senders: which processes have told it to end.
    func run(attention: UInt64, stop: () -> Bool, senders: () -> StopSenders = { .parent }) {
        let epoch = bh_segment_own(segment, processID())
        beginNetwork(now: monotonicMilliseconds())
        var writer = StatsWriter(
            segment: segment, epoch: epoch, others: announcer.otherSelves, keyed: gatekeeper.isKeyRequired,
            optional: gatekeeper.signer != nil && !gatekeeper.isKeyRequired)
        announcer.claimOwnAddresses(&writer, now: monotonicMilliseconds())
        bh_half_store(&segment.pointee.stopping, 0)
        if isForFarewell { return sayFarewell(&writer) }
        announcer.prepare()
        listener.stopFiltering()
        logStart()
        news.adoptTable(rows: writer.rows, now: monotonicMilliseconds())
        checks.begin(rows: writer.rows, now: monotonicMilliseconds())
        var ticker = Ticker(interval: interval, now: monotonicMilliseconds())
        var readiness = Readiness()
        var gatheredUntil: UInt64 = 0
        while let now = untilOver(epoch, stop) {
            announcer.watchStopping(now: now)
            if announcer.shutdown.isShuttingDown { checks.end() }
            watchNetwork(&writer, now: now)
            if ticker.take(now: now) {
                round(&writer, now: now)
                poolCheck.look(rows: writer.rows, now: now)
            } else if announcer.takeExtra(now: now) {
                announcer.announce(&writer, now: now)
            }
            let gathers = now < gatheredUntil
            readiness.removeAll()
            control.prepare(&readiness, now: now)
            network.prepare(&readiness)
            checks.prepare(&readiness, now: now)
            let first = gathers ? nil : prepare(sockets.listeners.map { $0.socket }, &readiness)
            let firstSender =
                gathers || gatekeeper.signer == nil ? nil : prepare(sockets.senders.map { $0.socket }, &readiness)
            let wait = min(ticker.wait(now: now), attention, gathers ? gatheredUntil - now : attention)
            readiness.wait(milliseconds: Int(clamping: min(wait, partsWait(now: now))))
            let later = monotonicMilliseconds()
            control.serve(readiness, rows: writer.rows, now: later)
            network.hear(readiness, now: later)
            if checks.serve(readiness, now: later) { announcer.noteOrder(now: later) }
            if let firstSender {
                listener.hearReplies(&writer, readiness, from: firstSender, limit: Self.readLimit, now: later)
            }
            if let first, let read = listener.hear(&writer, readiness, from: first, limit: Self.readLimit, now: later) {
                gatheredUntil = later + (read < Self.crowd ? Self.gathering : 1)
            }
        }
        if stop(), isFarewellOurs(senders) { announcer.sayFarewell(&writer) }
    }

    /// Milliseconds until one of the parts has something to do; the largest number: none has.
    private func partsWait(now: UInt64) -> UInt64 {
        min(
            control.wait(now: now) ?? .max, announcer.wait(now: now) ?? .max, network.wait(now: now) ?? .max,
            checks.wait(now: now) ?? .max)
    }

    /// Once an interval: looks at the drain file and at this machine, announces what it found, and publishes what the
    /// children noticed.
    func round(_ writer: inout StatsWriter, now: UInt64) {
        writer.publishFeedback(nowMicroseconds: monotonicNanoseconds() / 1000)
        drainFile.look(rows: writer.rows, now: now)
        announcer.look(writer)
        noteRound(&writer, now: now)
        listener.updateAgeClock(&writer, interval: interval, now: now)
        announcer.announce(&writer, now: now)
        let silence = UInt64(config.expire_s) * 1000
        if silence > 0, now > writer.listening &+ silence { writer.expire(after: silence, now: now) }
        if now >= beatFrom { bh_word_store(&segment.pointee.beat_ms, now) }
        gatekeeper.publishRefused(now: now)
        news.tell(rows: writer.rows, routes: network.plan.routes, now: now)
    }

    /// After a gap, until all servers must have been heard again, ages count to the last beat before it.
    private func noteRound(_ writer: inout StatsWriter, now: UInt64) {
        let last = lastRound == 0 ? bh_word_load(&segment.pointee.beat_ms) : lastRound
        if now > last &+ UInt64(BH_BEAT_LATE_MS) {
            writer.listening = now
            if last != 0 { beatFrom = now &+ interval &+ interval / 2 }
        }
        lastRound = now
    }

    /// Milliseconds between announcements, within what backhand.h allows.
    var interval: UInt64 {
        config.interval_ms == 0 ? 1000 : min(max(UInt64(config.interval_ms), 100), 60_000)
    }

    /// The time now, or nil once there is a reason to end.
    private func untilOver(_ epoch: UInt32, _ stop: () -> Bool) -> UInt64? {
        if stop() {
            log(BH_LOG_INFO, LogNumber.ended, "the moderator ends: it was told to")
        } else if !config.alone, parentProcessID() != parent {
            log(BH_LOG_INFO, LogNumber.ended, "the moderator ends: its parent is gone")
        } else if !bh_segment_owned(segment, epoch) {
            log(BH_LOG_INFO, LogNumber.ended, "the moderator ends: another one has taken over")
        } else {
            return monotonicMilliseconds()
        }
        return nil
    }

    /// Looks at the network for the first time. Without privileges.
    func beginNetwork(now: UInt64) {
        adapt(to: network.begin(now: now))
    }

    /// Looks at the network, if it is time to; announces at once what is new about us.
    private func watchNetwork(_ writer: inout StatsWriter, now: UInt64) {
        let change = network.look(now: now)
        adapt(to: change)
        guard change.announced else { return }
        announcer.claimOwnAddresses(&writer, now: now)
        if lastRound != 0 { announcer.announce(&writer, now: now) }
    }

    private func adapt(to change: NetworkFollower.Change) {
        if change.plan { listener.filterNewSockets() }
        if change.routes { announcer.forgetAnnounced() }
    }

    private func prepare(_ sockets: [UDPSocket], _ readiness: inout Readiness) -> Int? {
        var first: Int?
        for socket in sockets {
            let place = readiness.add(socket.fd, reading: true, writing: false)
            first = first ?? place
        }
        return first
    }

    private func logStart() {
        // The kernel doubles what it is asked for, and charges each announcement with about 1 kB.
        if let buffer = sockets.smallestBuffer, buffer < 2 << 20 {
            log(
                BH_LOG_INFO, LogNumber.smallBuffer, "the receive buffer holds only about {} announcements at once",
                .number(UInt64(max(buffer, 0) / 1024)))
        }
    }
}
