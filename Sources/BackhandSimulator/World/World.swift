// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What comes, whatever the rule: drawn once from a seed.
struct Fate {
    struct Arrival {
        let time: Double
        let demand: Double
        let balancer: Int
    }

    /// A machine's cores that are left, from a time on.
    struct Flip {
        let time: Double
        let machine: Int
        let cores: Double
    }

    private(set) var arrivals: [Arrival] = []
    private(set) var flips: [Flip] = []
    /// When each machine and then each balancer announces or ticks for the first time.
    let phases: [Double]

    init(_ scenario: Scenario, seed: UInt64, seconds: Double) {
        var times = Random(seed: seed, stream: .arrivals)
        var demands = Random(seed: seed, stream: .demands)
        var balancers = Random(seed: seed, stream: .balancers)
        var phase = Random(seed: seed, stream: .announcements)
        phases = (0..<(scenario.machines.count + scenario.balancers)).map { _ in phase.unit() * scenario.interval }
        var tide = TideClock(scenario.tide, seed: seed)
        var time = 0.0
        // As many as come at high tide; of those some are left out.
        let gap = 1 / (scenario.arrivalRate * scenario.tide.most)
        arrivals.reserveCapacity(Int(seconds * scenario.arrivalRate * 1.1))
        while true {
            time += times.exponential(gap)
            guard time < seconds else { break }
            guard tide.lets(at: time) else { continue }
            let demand = scenario.demand.draw(&demands)
            arrivals.append(Arrival(time: time, demand: demand, balancer: Self.entry(scenario, &balancers)))
        }
        guard scenario.antagonists else { return }
        for index in scenario.machines.indices { disturb(index, scenario.machines[index], seed, seconds) }
    }

    /// The balancer, or in a symmetric cluster the machine, that a client comes to.
    private static func entry(_ scenario: Scenario, _ random: inout Random) -> Int {
        guard let share = scenario.shareAtFirst else { return random.below(scenario.balancers) }
        let chance = random.unit()
        let other = 1 + random.below(max(1, scenario.machines.count - 1))
        return chance < share ? 0 : other
    }

    private mutating func disturb(_ index: Int, _ machine: Machine, _ seed: UInt64, _ seconds: Double) {
        var random = Random(seed: seed, stream: .antagonists, index: index)
        var time = random.exponential(30)
        var taken = false
        while time < seconds {
            taken.toggle()
            flips.append(Flip(time: time, machine: index, cores: taken ? machine.cores / 2 : machine.cores))
            time += random.exponential(taken ? 10 : 30)
        }
    }
}

/// Leaves out requests so that the others come at the rate of the moment.
private struct TideClock {
    private let tide: Tide
    private var random: Random
    private var isHigh = false
    private var turns = 0.0

    init(_ tide: Tide, seed: UInt64) {
        self.tide = tide
        random = Random(seed: seed, stream: .tides)
    }

    mutating func lets(at time: Double) -> Bool {
        switch tide {
        case .steady: return true
        case .days: return random.unit() * 1.4 < 1 + 0.4 * sine(time / 50)
        case .bursts:
            while turns <= time {
                isHigh.toggle()
                turns += random.exponential(isHigh ? 1 : 7.0 / 3)
            }
            return isHigh || random.unit() * 1.7 < 0.7
        }
    }
}

/// What one server tells at one moment: means over the time since the last announcement.
struct Announced {
    var window: SharedServer.Window
    let now: Double
    let server: Int
    let cores: Double
    let totalCores: Double
    let workers: Int
    let idleWorkers: Int
    let speed: Double
    let arrivals: UInt64
    let loadAverage: Double
    let capacityFactor: Double
    /// Whether the CPU's use shows how busy the server is.
    let speedSeen: Bool
    /// Whether it shows as httpd's.
    let usedByOthers: Bool
    /// Share of the CPUs that other programs use, beside antagonists.
    let busyWithOthers: Double
    /// Seconds of CPU for each request, beside what it computes.
    let overhead: Double
    /// Whether what antagonists take is a limit that the system tells (cgroup's cpu.max), and not just other programs
    /// at work.
    let limitsSeen: Bool

    var span: Double { max(now - window.opened, 1e-9) }
    var meanInFlight: Double { window.inFlight / span }
    /// Core-seconds of speed 1 a second: cores that it may use, also if other programs use them too.
    var capacity: Double { (limitsSeen ? cores : totalCores) * speed * capacityFactor }
}

/// Chooses servers, for all balancers of a scenario.
protocol Rule: AnyObject {
    /// The server for a request; tried: a bit for each server that failed it. nil: none is left.
    func choose(balancer: Int, tried: UInt64, demand: Double, at now: Double) -> Int?
    func begin(balancer: Int, server: Int, at now: Double)
    func end(balancer: Int, server: Int, took: Double, failed: Bool, at now: Double)
    /// A balancer hears an announcement.
    func hear(balancer: Int, _ announced: Announced)
    /// A balancer's own second is over.
    func tick(balancer: Int, at now: Double)
    /// A machine's second is over: what happened there, for balancers that are machines themselves.
    func closed(_ announced: Announced)
    /// In a symmetric cluster: a request has come to be served by a machine, or has left it.
    func entered(server: Int, at now: Double)
    func left(server: Int, took: Double, at now: Double)
}

extension Rule {
    func begin(balancer: Int, server: Int, at now: Double) {}
    func end(balancer: Int, server: Int, took: Double, failed: Bool, at now: Double) {}
    func hear(balancer: Int, _ announced: Announced) {}
    func tick(balancer: Int, at now: Double) {}
    func closed(_ announced: Announced) {}
    func entered(server: Int, at now: Double) {}
    func left(server: Int, took: Double, at now: Double) {}
}

/// The servers as they are, for rules that may know (the oracle), and whether they are up, for those that check.
final class Cluster {
    let scenario: Scenario
    let servers: [SharedServer]
    fileprivate(set) var isUp: [Bool]

    init(_ scenario: Scenario) {
        self.scenario = scenario
        servers = scenario.machines.map(SharedServer.init)
        isUp = scenario.machines.map { $0.joins == nil }
    }
}

/// One run of one rule in one world.
struct World {
    private let scenario: Scenario
    private let fate: Fate
    private let warmUp: Double
    private let cluster: Cluster
    private let rule: any Rule
    private var events = Heap<Event>()
    private var requests: [Request]
    private var lost: Random
    private(set) var result = Tally()

    /// What a failed request counts, seconds.
    static let failure = 20.0
    /// How long a failing server takes to say so, seconds.
    private static let toFail = 0.001

    private struct Request {
        var server = 0
        var sent = 0.0
        var tried: UInt64 = 0
    }

    private struct Event: Comparable {
        enum Kind { case flip, announce, tick, fail, slow, join, warm }
        let time: Double
        let kind: Kind
        let index: Int
        static func < (left: Event, right: Event) -> Bool { left.time < right.time }
        static func == (left: Event, right: Event) -> Bool { left.time == right.time }
    }

    init(_ scenario: Scenario, fate: Fate, seed: UInt64, warmUp: Double, rule make: (Cluster) -> any Rule) {
        self.scenario = scenario
        self.fate = fate
        self.warmUp = warmUp
        cluster = Cluster(scenario)
        rule = make(cluster)
        requests = Array(repeating: Request(), count: fate.arrivals.count)
        lost = Random(seed: seed, stream: .announcements, index: 1)
        result.reserve(fate.arrivals.count)
    }

    /// Others' balancers stand in front of a symmetric cluster, as one.
    private func balancer(of arrival: Fate.Arrival) -> Int {
        scenario.isSymmetric && !(rule is any LocalRule) ? 0 : arrival.balancer
    }

    mutating func run() {
        prepare()
        var next = 0
        while true {
            var due = next < fate.arrivals.count ? fate.arrivals[next].time : .infinity
            var server = -1
            for index in cluster.servers.indices where cluster.servers[index].nextEnd < due {
                due = cluster.servers[index].nextEnd
                server = index
            }
            // What repeats for ever must not keep a world going that has nothing left to do.
            if due == .infinity, !events.items.contains(where: { $0.kind == .fail }) { break }
            if let event = events.top, event.time <= due {
                _ = events.pop()
                handle(event)
            } else if server >= 0 {
                finish(server, due)
            } else {
                send(next, due)
                next += 1
            }
        }
    }

    private mutating func prepare() {
        for (index, flip) in fate.flips.enumerated() { events.push(Event(time: flip.time, kind: .flip, index: index)) }
        for (index, machine) in scenario.machines.enumerated() {
            if machine.joins == nil { announce(index, 0) }
            let first = (machine.joins ?? 0) + fate.phases[index]
            events.push(Event(time: first, kind: .announce, index: index))
            if let slow = machine.slowFrom { events.push(Event(time: slow, kind: .slow, index: index)) }
            if let joins = machine.joins { events.push(Event(time: joins, kind: .join, index: index)) }
        }
        guard !scenario.isSymmetric else { return }
        for balancer in 0..<scenario.balancers {
            events.push(Event(time: fate.phases[scenario.machines.count + balancer], kind: .tick, index: balancer))
        }
    }

    private mutating func handle(_ event: Event) {
        let now = event.time
        switch event.kind {
        case .flip:
            let flip = fate.flips[event.index]
            cluster.servers[flip.machine].change(cores: flip.cores, at: now)
        case .announce:
            announce(event.index, now)
            events.push(Event(time: now + scenario.interval, kind: .announce, index: event.index))
        case .tick:
            rule.tick(balancer: event.index, at: now)
            events.push(Event(time: now + scenario.interval, kind: .tick, index: event.index))
        case .fail: fail(event.index, now)
        case .slow: cluster.servers[event.index].change(speed: scenario.machines[event.index].speed / 5, at: now)
        case .join:
            cluster.isUp[event.index] = true
            cluster.servers[event.index].change(speed: scenario.machines[event.index].speed / 5, at: now)
            announce(event.index, now)
            events.push(Event(time: now + 10, kind: .warm, index: event.index))
        case .warm: cluster.servers[event.index].change(speed: scenario.machines[event.index].speed, at: now)
        }
    }

    private mutating func announce(_ index: Int, _ now: Double) {
        let server = cluster.servers[index]
        let machine = server.machine
        let workers = machine.announcedWorkers ?? (machine.workers > 0 ? machine.workers : 400)
        let announced = Announced(
            window: server.closeWindow(at: now), now: now, server: index, cores: machine.announcedCores ?? server.cores,
            totalCores: machine.announcedCores ?? machine.cores,
            workers: workers, idleWorkers: max(0, workers - server.inFlight),
            speed: machine.announcedSpeed ?? machine.speed, arrivals: server.arrivals, loadAverage: server.loadAverage,
            capacityFactor: machine.announced,
            speedSeen: machine.announcedSpeed == nil && now < machine.slowFrom ?? .infinity,
            usedByOthers: machine.computesElsewhere,
            busyWithOthers: machine.busyWithOthers, overhead: machine.overhead,
            limitsSeen: scenario.limitsSeen)
        rule.closed(announced)
        let listeners =
            scenario.isSymmetric ? (rule is any LocalRule ? scenario.machines.count : 1) : scenario.balancers
        for balancer in 0..<listeners where now == 0 || lost.unit() >= scenario.loss {
            if scenario.isSymmetric, balancer == index, rule is any LocalRule { continue }
            rule.hear(balancer: balancer, announced)
        }
    }

    private mutating func send(_ request: Int, _ now: Double) {
        let arrival = fate.arrivals[request]
        guard
            let server = rule.choose(
                balancer: balancer(of: arrival), tried: requests[request].tried, demand: arrival.demand, at: now)
        else { return result.fail(arrival.time, Self.failure, warmUp) }
        requests[request].server = server
        requests[request].sent = now
        rule.begin(balancer: balancer(of: arrival), server: server, at: now)
        rule.entered(server: server, at: now)
        result.sent(to: server, of: cluster.servers.count, arrival.time, warmUp)
        if scenario.isSymmetric, server != arrival.balancer, arrival.time >= warmUp { result.sentOn += 1 }
        if scenario.machines[server].fails(at: now) {
            cluster.servers[server].arriveToFail()
            events.push(Event(time: now + Self.toFail, kind: .fail, index: request))
        } else {
            cluster.servers[server].arrive(request, demand: arrival.demand, at: now)
        }
    }

    /// What a request pays for being proxied, seconds.
    private func hop(_ request: Int) -> Double {
        rule is any LocalRule && scenario.isSymmetric && requests[request].server == fate.arrivals[request].balancer
            ? 0 : scenario.hop
    }

    private mutating func finish(_ server: Int, _ now: Double) {
        guard let request = cluster.servers[server].finish(at: now) else { return }
        let arrival = fate.arrivals[request]
        let took = now - requests[request].sent
        cluster.servers[server].note(latency: took, failed: false)
        rule.left(server: server, took: took, at: now)
        rule.end(balancer: balancer(of: arrival), server: server, took: took + hop(request), failed: false, at: now)
        result.add(arrival.time, now - arrival.time + hop(request), warmUp)
    }

    /// One more attempt elsewhere, as all of the rivals are set up to do.
    private mutating func fail(_ request: Int, _ now: Double) {
        let arrival = fate.arrivals[request]
        let server = requests[request].server
        let took = now - requests[request].sent
        cluster.servers[server].note(latency: took, failed: true)
        rule.left(server: server, took: took, at: now)
        rule.end(balancer: balancer(of: arrival), server: server, took: took + hop(request), failed: true, at: now)
        let again = requests[request].tried == 0
        requests[request].tried |= 1 << UInt64(server)
        guard again else { return result.fail(arrival.time, Self.failure, warmUp) }
        send(request, now)
    }
}

/// A rule whose balancers are the machines themselves in a symmetric cluster: a request served where it came needs no
/// hop.
protocol LocalRule: Rule {}
