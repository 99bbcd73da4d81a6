// Licensed under the Apache License, Version 2.0; see LICENSE.

/// One machine of a simulated cluster.
public struct Machine: Sendable {
    /// CPU cores, above 0; may be a fraction.
    public var cores: Double
    /// Of one core; 1 serves a demand of one second in one second.
    public var speed: Double
    /// Requests served at once, the others wait in their order; 0: any number, sharing the cores.
    public var workers = 0
    /// What it announces as its capacity, over what it has.
    public var announced = 1.0
    /// What it announces as the speed of a core; nil: the true one.
    public var announcedSpeed: Double?
    /// CPU cores that it announces; nil: those that it has. Servers that wait for others serve more requests at once
    /// than they have CPUs.
    public var announcedCores: Double?
    /// Requests compute in other processes than httpd's: only the machine's CPU looks busy.
    public var computesElsewhere = false
    /// Workers that it announces; nil: those that it has, or 400.
    public var announcedWorkers: Int?
    /// Seconds of CPU that httpd itself needs for a request that waits for another machine.
    public var overhead = 0.0
    /// Share of the announced CPUs that other programs use, without harm to requests that wait.
    public var busyWithOthers = 0.0
    /// Seconds after the start at which it begins to answer everything at once with an error.
    public var failsFrom: Double?
    /// Seconds after the start at which it works again.
    public var failsUntil = Double.infinity
    /// Seconds after the start at which each request begins to take five times as long, while the CPU looks idle.
    public var slowFrom: Double?
    /// Seconds after the start at which it joins, at a fifth of its speed for the first ten.
    public var joins: Double?

    /// A machine with these cores and no limit of workers.
    public init(cores: Double, speed: Double = 1) {
        self.cores = cores
        self.speed = speed
    }

    /// Work that it can do, in core-seconds of speed 1 a second.
    public var capacity: Double { cores * speed }

    func fails(at now: Double) -> Bool {
        now >= failsFrom ?? .infinity && now < failsUntil
    }
}

/// How long requests take on a free core of speed 1. Means are seconds.
public enum Demand: Sendable {
    case exponential(Double)
    /// 5 % of the requests take ten times as long as the others; the mean is over all.
    case heavyTail(Double)
    /// Exponential, and one request in 3000 takes 3 s.
    case rareLong(Double)
    /// By what is asked for: 80 % take 5 ms, 15 % 50 ms, 5 % 400 ms, each exponential.
    case kinds

    var mean: Double {
        switch self {
        case .kinds: 0.8 * 0.005 + 0.15 * 0.050 + 0.05 * 0.400
        case .exponential(let mean), .heavyTail(let mean): mean
        case .rareLong(let mean): mean * 2999 / 3000 + 3.0 / 3000
        }
    }

    func draw(_ random: inout Random) -> Double {
        let chance = random.unit()
        switch self {
        case .exponential(let mean): return random.exponential(mean)
        case .heavyTail(let mean): return random.exponential(mean / 1.45) * (chance < 0.05 ? 10 : 1)
        case .rareLong(let mean): return chance < 1.0 / 3000 ? 3 : random.exponential(mean)
        case .kinds: return random.exponential(chance < 0.8 ? 0.005 : chance < 0.95 ? 0.050 : 0.400)
        }
    }
}

/// How the rate of the requests changes; its mean over a long time is that of the scenario.
public enum Tide: Sendable {
    case steady
    /// 1.7 times as many for a second, then 0.7 times as many for two and a third; both at random.
    case bursts
    /// 40 % more and less within 50 s, as a sine.
    case days

    /// The largest factor.
    var most: Double {
        switch self {
        case .steady: 1
        case .bursts: 1.7
        case .days: 1.4
        }
    }
}

/// A cluster, its neighbours' noise, and the requests that come.
public struct Scenario: Sendable {
    /// The name for --scenario and for files.
    public var name: String
    /// What it is, as the table prints it.
    public var title: String
    /// The servers, in the order of the shares that are counted.
    public var machines: [Machine]
    /// How long requests take.
    public var demand = Demand.exponential(0.020)
    /// Work that comes, over what the machines can do on average.
    public var load = 0.7
    /// Requests a second instead, if above 0.
    public var rate = 0.0
    /// How the rate of the requests changes.
    public var tide = Tide.steady
    /// Balancers, at least 1; none sees the requests of another.
    public var balancers = 1
    /// Each machine loses half of its cores for about 10 s in every 40.
    public var antagonists = false
    /// They do so by a limit that each machine sees and announces, not just by using them.
    public var limitsSeen = false
    /// Every machine is a balancer too; this share of the clients comes to the first. Others' balancers stand in front
    /// of all.
    public var shareAtFirst: Double?
    /// Share of the announcements that get lost on the way to each balancer.
    public var loss = 0.0
    /// Between two announcements, seconds.
    public var interval = 1.0
    /// What it costs to be proxied, seconds.
    public var hop = 0.0005

    /// A scenario of these machines, with the usual demand and load.
    public init(_ name: String, _ title: String, _ machines: [Machine]) {
        self.name = name
        self.title = title
        self.machines = machines
    }

    /// Whether every machine is a balancer too.
    public var isSymmetric: Bool { shareAtFirst != nil }

    /// Requests a second.
    var arrivalRate: Double {
        if rate > 0 { return rate }
        // Half of the cores for a quarter of the time.
        let share = antagonists ? 0.875 : 1
        return load * share * machines.reduce(0) { $0 + $1.capacity } / demand.mean
    }

    func with(_ change: (inout Scenario) -> Void) -> Scenario {
        var copy = self
        change(&copy)
        return copy
    }
}
