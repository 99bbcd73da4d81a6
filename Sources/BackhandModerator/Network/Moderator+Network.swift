// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

extension LogNumber {
    static let networkLost: Int32 = 335
    static let networkBack: Int32 = 336
    static let moved: Int32 = 337
    static let noNews: Int32 = 338
}

/// What the moderator knows of this machine's network: its sockets follow it.
struct NetworkState {
    var plan = NetworkPlan()
    /// Whether a look has been taken.
    var isKnown = false
    /// nil: the kernel does not tell of changes, so each is found by a look.
    var news: NetworkNews?
    /// The place of the news' descriptor in the last wait.
    var place = 0
    var removals = AddressRemovals()
    var timer: LookTimer
    var lines: LineLog
    /// What is in the way of each line by the last look, and by the last announcement.
    var obstacles: [Obstacle?]
    var unsent: [Obstacle?]

    init(lines count: Int, now: UInt64) {
        timer = LookTimer(now: now)
        lines = LineLog(lines: count)
        obstacles = [Obstacle?](repeating: nil, count: count)
        unsent = obstacles
    }
}

extension Moderator {
    private var destinations: UnsafeBufferPointer<bh_destination_t> {
        UnsafeBufferPointer(start: config.destinations, count: config.destination_count)
    }

    /// Takes over the sockets of the moderator before, asks for news, and looks for the first time. Without privileges.
    func beginNetwork(now: UInt64) {
        network = NetworkState(lines: config.destination_count, now: now)
        sockets.takeOver()
        guard config.destination_count > 0 else {
            network.plan = makePlan()
            return
        }
        do throws(SystemError) {
            network.news = try NetworkNews()
        } catch {
            log(BH_LOG_INFO, LogNumber.noNews, "the system does not tell of changes of the network (\(error.text)): looking every second")
        }
        _ = followNetwork(now: now)
    }

    func endNetwork() {
        network.news?.close()
        network.news = nil
    }

    func prepareNetwork(_ readiness: inout Readiness) {
        guard let news = network.news else { return }
        network.place = readiness.add(news.fd, reading: true, writing: false)
    }

    /// Reads the kernel's news.
    func hearNetwork(_ readiness: Readiness, now: UInt64) {
        guard let news = network.news, readiness.isReadable(network.place), let change = news.read() else { return }
        network.removals.note(change)
        network.timer.noteChange(now: now)
    }

    /// Milliseconds until the next look; nil if there is nothing to look for.
    func networkWait(now: UInt64) -> UInt64? {
        config.destination_count > 0 ? network.timer.wait(now: now) : nil
    }

    /// Looks at the network, if it is time to; announces at once what is new about us.
    func watchNetwork(_ writer: inout StatsWriter, now: UInt64) {
        guard config.destination_count > 0, network.timer.isDue(now: now), followNetwork(now: now) else { return }
        settle(&writer, now: now)
        if lastRound != 0 { announce(lastSeen, &writer, now: now) }
    }

    /// The table knows which addresses are ours.
    func settle(_ writer: inout StatsWriter, now: UInt64) {
        writer.become(otherSelves, now: now)
        for route in plan.routes { writer.claim(route.own, port: route.ownPort, now: now) }
    }

    /// Makes the sockets what the network allows; whether we are announced in another way than before.
    private func followNetwork(now: UInt64) -> Bool {
        let before = network.plan
        network.plan = makePlan()
        let (obstacles, hurries) = sockets.follow(network.plan, now: now)
        network.timer.take(waits: hurries || !obstacles.isEmpty, hasNews: network.news != nil, now: now)
        let wasKnown = network.isKnown
        network.isKnown = true
        for line in network.obstacles.indices {
            network.obstacles[line] = obstacles.first { $0.line == line }?.obstacle
        }
        if wasKnown { tellMoves(from: before) }
        if network.plan != before { filterNewSockets() }
        if network.plan.routes != before.routes {
            // What each socket announced last is not known of the new ones.
            announced.removeAll(keepingCapacity: true)
            for line in network.unsent.indices { network.unsent[line] = nil }
        }
        for line in network.obstacles.indices { tellLine(line, now: now) }
        return network.plan.routes != before.routes || network.plan.sites != before.sites
    }

    private func makePlan() -> NetworkPlan {
        let here = LocalNetwork(
            interfaces: networkInterfaces(), removals: network.removals, find: localAddress(towards:), whyNotLocal: whyNotLocal)
        return NetworkPlan(destinations, port: config.port, network: here, known: network.isKnown ? network.plan.sites : knownBefore)
    }

    /// As what a moderator before knew the main server: it keeps that address while its network is away.
    private var knownBefore: [Site] {
        var facts = bh_facts_t()
        let row = bh_segment_row(segment, 0)
        guard bh_row_own(row), bh_row_heard(row) != 0, bh_row_copy(row, &facts), facts.address.isUnicast, facts.port != 0 else { return [] }
        return [Site(number: 0, own: facts.address, ownPort: facts.port)]
    }

    /// Notes whether an announcement along a line could be sent, and says what is new.
    func noteSent(_ line: Int, _ error: SystemError?, now: UInt64) {
        guard network.unsent.indices.contains(line) else { return }
        let obstacle = error.map { Obstacle.sending($0) }
        guard network.unsent[line] != obstacle else { return }
        network.unsent[line] = obstacle
        // The plan may be out of date.
        if obstacle != nil { network.timer.noteChange(now: now) }
        tellLine(line, now: now)
    }

    // ---- What is said of it ----

    private func tellLine(_ line: Int, now: UInt64) {
        switch network.lines.note(line, network.obstacles[line] ?? network.unsent[line], now: now) {
        case nil: break
        case .begins: log(BH_LOG_INFO, LogNumber.started, "announcing \(ownText(line)) to \(target(line))")
        case .back:
            log(BH_LOG_NOTICE, LogNumber.networkBack, "MulticastStats \(target(line)) works again: announcing \(ownText(line))")
        case .lost(let obstacle, let times):
            let count = times > 1 ? " (\(times) times since the last line)" : ""
            log(
                BH_LOG_WARNING, LogNumber.networkLost,
                "MulticastStats \(target(line)) does not work: \(obstacle.text); tried again every second\(count)")
        }
    }

    /// One line for each that works as before, but with another address of ours.
    private func tellMoves(from before: NetworkPlan) {
        for route in network.plan.routes where network.obstacles[route.line] == nil && network.lines.works(route.line) {
            guard let old = before.routes.first(where: { $0.line == route.line }), old.own != route.own else { continue }
            log(
                BH_LOG_NOTICE, LogNumber.moved,
                "MulticastStats \(target(route.line)): our own address is \(route.own.text) now, and was \(old.own.text)")
        }
    }

    private func target(_ line: Int) -> String {
        "\(destinations[line].group.text):\(destinations[line].port)"
    }

    private func ownText(_ line: Int) -> String {
        network.plan.routes.first { $0.line == line }.map { "\($0.own.text):\($0.ownPort)" } ?? "nothing"
    }
}
