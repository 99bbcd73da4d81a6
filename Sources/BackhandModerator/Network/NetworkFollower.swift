// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

extension LogNumber {
    static let networkDown: Int32 = 335
    static let networkBack: Int32 = 336
    static let moved: Int32 = 337
    static let noNews: Int32 = 338
}

/// Keeps the sockets what this machine's network allows, and says in the log which line of MulticastStats works.
final class NetworkFollower {
    /// What is different after a look.
    struct Change {
        /// Whether the sockets may be others.
        var plan = false
        /// Whether announcements go elsewhere, or from elsewhere.
        var routes = false
        /// Whether we are announced in another way.
        var announced = false
    }

    private let config: bh_moderator_config_t
    private let segment: UnsafeMutablePointer<bh_segment_t>
    private let log: Log
    private let sockets: Sockets
    private(set) var plan = NetworkPlan()
    /// Whether a look has been taken.
    private var isKnown = false
    /// nil: the kernel does not tell of changes, so each is found by a look.
    private var news: NetworkNews?
    /// The place of the news' descriptor in the last wait.
    private var place = 0
    private var removals = AddressRemovals()
    private var timer = LookTimer(now: 0)
    private var lines: LineLog
    /// What is in the way of each line by the last look, and by the last announcement.
    private var obstacles: [Obstacle?]
    private var unsent: [Obstacle?]

    init(_ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>, _ log: Log, _ sockets: Sockets)
    {
        self.config = config
        self.segment = segment
        self.log = log
        self.sockets = sockets
        lines = LineLog(lines: config.destination_count)
        obstacles = [Obstacle?](repeating: nil, count: config.destination_count)
        unsent = obstacles
    }

    private var destinations: UnsafeBufferPointer<bh_destination_t> {
        UnsafeBufferPointer(start: config.destinations, count: config.destination_count)
    }

    /// Takes over the sockets of the moderator before, asks for news, and looks for the first time. Without privileges.
    func begin(now: UInt64) -> Change {
        timer = LookTimer(now: now)
        sockets.takeOver()
        guard config.destination_count > 0 else {
            plan = makePlan()
            return Change()
        }
        do throws(SystemError) {
            news = try NetworkNews()
        } catch {
            log(
                BH_LOG_INFO, LogNumber.noNews,
                "the system does not tell of changes of the network ({}): looking every second", .text(error.message))
        }
        return follow(now: now)
    }

    func end() {
        news?.close()
        news = nil
    }

    func prepare(_ readiness: inout Readiness) {
        guard let news else { return }
        place = readiness.add(news.fd, reading: true, writing: false)
    }

    /// Reads the kernel's news.
    func hear(_ readiness: Readiness, now: UInt64) {
        guard let news, readiness.isReadable(place), let change = news.read() else { return }
        removals.note(change)
        timer.noteChange(now: now)
    }

    /// Milliseconds until the next look; nil if there is nothing to look for.
    func wait(now: UInt64) -> UInt64? {
        config.destination_count > 0 ? timer.wait(now: now) : nil
    }

    /// Looks at the network, if it is time to.
    func look(now: UInt64) -> Change {
        config.destination_count > 0 && timer.isDue(now: now) ? follow(now: now) : Change()
    }

    /// Makes the sockets what the network allows.
    private func follow(now: UInt64) -> Change {
        let before = plan
        plan = makePlan()
        let (met, hurries) = sockets.follow(plan, now: now)
        timer.take(waits: hurries || !met.isEmpty, hasNews: news != nil, now: now)
        let wasKnown = isKnown
        isKnown = true
        for line in obstacles.indices {
            obstacles[line] = met.first { $0.line == line }?.obstacle
        }
        if wasKnown { tellMoves(from: before) }
        let hasMoved = plan.routes != before.routes
        if hasMoved {
            for line in unsent.indices { unsent[line] = nil }
        }
        for line in obstacles.indices { tellLine(line, now: now) }
        return Change(plan: plan != before, routes: hasMoved, announced: hasMoved || plan.vhosts != before.vhosts)
    }

    private func makePlan() -> NetworkPlan {
        let here = LocalNetwork(
            interfaces: networkInterfaces(), removals: removals, find: localAddress(towards:), whyNotLocal: whyNotLocal)
        return NetworkPlan(destinations, port: config.port, network: here, known: isKnown ? plan.vhosts : knownBefore)
    }

    /// As what a moderator before knew the main server: it keeps that address while its network is away.
    /// Servers without httpd have the addresses of their configuration, which may name another one first.
    private var knownBefore: [VirtualHost] {
        guard !config.alone else { return [] }
        var facts = bh_facts_t()
        let row = bh_segment_row(segment, 0)
        guard bh_row_own(row), bh_row_heard(row) != 0, bh_row_copy(row, &facts), facts.address.isUnicast,
            facts.port != 0
        else { return [] }
        return [VirtualHost(number: 0, own: facts.address, ownPort: facts.port)]
    }

    /// Notes whether an announcement along a line could be sent, and says what is new.
    func noteSent(_ line: Int, _ error: SystemError?, now: UInt64) {
        guard unsent.indices.contains(line) else { return }
        let obstacle = error.map { Obstacle.sending($0) }
        guard unsent[line] != obstacle else { return }
        unsent[line] = obstacle
        // The plan may be out of date.
        if obstacle != nil { timer.noteChange(now: now) }
        tellLine(line, now: now)
    }

    // ---- What is said of it ----

    private func tellLine(_ line: Int, now: UInt64) {
        switch lines.note(line, obstacles[line] ?? unsent[line], now: now) {
        case nil: break
        case .begins: log(BH_LOG_INFO, LogNumber.started, "announcing {} to {}", own(line), target(line))
        case .back:
            log(
                BH_LOG_NOTICE, LogNumber.networkBack, "MulticastStats {} works again: announcing {}", target(line),
                own(line))
        case .down(let obstacle, let times):
            let count = times > 1 ? Message(form: " ({} times since the last line)", .number(UInt64(times))) : Message()
            log(
                BH_LOG_WARNING, LogNumber.networkDown,
                "MulticastStats {} does not work: {}; tried again every second{}", target(line),
                .text(obstacle.message), .text(count))
        }
    }

    /// One line for each that works as before, but with another address of ours.
    private func tellMoves(from before: NetworkPlan) {
        for route in plan.routes where obstacles[route.line] == nil && lines.works(route.line) {
            guard let old = before.routes.first(where: { $0.line == route.line }), old.own != route.own else {
                continue
            }
            log(
                BH_LOG_NOTICE, LogNumber.moved,
                "MulticastStats {}: our own address is {} now, and was {}", target(route.line), .address(route.own),
                .address(old.own))
        }
    }

    private func target(_ line: Int) -> LinePart { .place(destinations[line].group, destinations[line].port) }

    /// As what this machine is announced along the line.
    private func own(_ line: Int) -> LinePart {
        guard !config.listens_only, let route = plan.routes.first(where: { $0.line == line }) else {
            return .word("nothing")
        }
        return .place(route.own, route.ownPort)
    }
}
