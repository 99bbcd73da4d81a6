// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandCandidacy
internal import BackhandTestbed
internal import CBackhand

// The experiment of Amir, Awerbuch, Barak, Borgstrom and Keren (IEEE TPDS 11(7), 2000) that byCost comes from: jobs
// with CPU and memory on six machines, placed in turn (PVM) or where the marginal cost is least (E-PVM).
// docs/balance.md says what they did not print.

/// Mean slowdown of the two ways of placing jobs.
public struct CostResult: Sendable {
    /// Over all jobs of all executions, and as the mean of the executions' means.
    public internal(set) var inTurn = Means()
    /// The same, with jobs placed where the marginal cost is least.
    public internal(set) var byCost = Means()

    /// Two means of the same slowdowns; 1 is a job on an idle machine.
    public struct Means: Sendable {
        /// Over all jobs of all executions.
        public internal(set) var byJob = 0.0
        /// Mean of the executions' means.
        public internal(set) var byExecution = 0.0
        var jobs = 0
    }
}

/// How the papers may be read where they do not say.
public struct CostReading: Sendable {
    /// What the reading assumes, as the table prints it.
    public let name: String
    /// For which jobs come; the papers say 10,000 and 1000.
    var seconds = 10_000.0
    var memory = Memory.ofEach
    /// Whether jobs that have not ended when the last one comes count too.
    var waitsForAll = true

    enum Memory {
        case none
        /// Each part of a job draws its own; what is more than the largest machine has counts as that.
        case ofEach
        /// The same, but drawn again until one machine at least has enough.
        case thatFits
        /// As thatFits, and the parts of a job share what it needs.
        case ofAllParts
    }

    /// All readings, in the order of the table.
    public static let all = [
        CostReading(name: "as printed"),
        CostReading(name: "no job needs more than the largest machine has", memory: .thatFits),
        CostReading(name: "the same, parts share their job's memory", memory: .ofAllParts),
        CostReading(name: "the same, for 1000 s", seconds: 1000, memory: .ofAllParts),
        CostReading(
            name: "the same, for 1000 s, only jobs that ended by then", seconds: 1000, memory: .ofAllParts,
            waitsForAll: false),
        CostReading(name: "without memory", memory: .none),
    ]
}

/// A job: seconds of the fastest machine's CPU, and memory as a share of the largest machine's.
private struct Job {
    let arrives: Double
    let work: Double
    let memory: Double
}

/// Three Pentium Pro with 200 MHz and 64 MB, two Pentium with 133 MHz and 32 MB, a laptop with 90 MHz and 24 MB.
private let machines: [(speed: Double, memory: Double)] = [
    (1, 1), (1, 1), (1, 1), (133.0 / 200, 0.5), (133.0 / 200, 0.5), (90.0 / 200, 0.375),
]

/// Runs both ways over the same jobs.
public func replayCost(executions: Int, seed: UInt64, as reading: CostReading) throws -> CostResult {
    var result = CostResult()
    let end = reading.waitsForAll ? Double.infinity : reading.seconds
    for number in 0..<executions {
        let jobs = drawJobs(seed: seed &+ UInt64(number), reading)
        var turn = -1
        result.inTurn.add(
            place(jobs, until: end) { _, _ in
                turn += 1
                return turn % machines.count
            })
        let chooser = try CostChooser()
        result.byCost.add(place(jobs, until: end, by: chooser.choose))
    }
    result.inTurn.finish(executions)
    result.byCost.finish(executions)
    return result
}

extension CostResult.Means {
    fileprivate mutating func add(_ slowdowns: [Double]) {
        guard !slowdowns.isEmpty else { return }
        let sum = slowdowns.reduce(0, +)
        byExecution += sum / Double(slowdowns.count)
        byJob += sum
        jobs += slowdowns.count
    }

    fileprivate mutating func finish(_ executions: Int) {
        byExecution /= Double(max(1, executions))
        byJob /= Double(max(1, jobs))
    }
}

/// A job every 10 s: 2/r seconds of CPU, 1/m per cent of memory. One in twenty has 20/r seconds in 1 to 20 parts.
private func drawJobs(seed: UInt64, _ reading: CostReading) -> [Job] {
    var random = Random(seed: seed, stream: .jobs)
    var jobs: [Job] = []
    var time = random.exponential(10)
    while time < reading.seconds {
        let isBatch = random.unit() < 0.05
        let parts = isBatch ? 1 + random.below(20) : 1
        let work = (isBatch ? 20 : 2) / max(random.unit(), 1e-9) / Double(parts)
        let common = reading.memory.draw(&random) / Double(parts)
        for part in 0..<parts {
            let own =
                reading.memory == .ofAllParts
                ? common : part == 0 ? common * Double(parts) : reading.memory.draw(&random)
            jobs.append(Job(arrives: time, work: work, memory: own))
        }
        time += random.exponential(10)
    }
    return jobs
}

extension CostReading.Memory {
    /// Of the largest machine's memory, the share that a job needs.
    fileprivate func draw(_ random: inout Random) -> Double {
        guard self != .none else { return 0 }
        while true {
            let need = 0.01 / max(random.unit(), 1e-9)
            if need <= 1 || self == .ofEach { return min(1, need) }
        }
    }
}

/// What runs on one machine.
private struct Load {
    var left: [(work: Double, memory: Double, arrived: Double, all: Double)] = []
    var memory: Double { left.reduce(0) { $0 + $1.memory } }
}

/// Places all jobs, lets them share their machines, and returns each one's slowdown against the fastest machine alone.
private func place(_ jobs: [Job], until end: Double, by choose: (Job, [Load]) -> Int) -> [Double] {
    var loads = Array(repeating: Load(), count: machines.count)
    var slowdowns: [Double] = []
    var now = 0.0
    var next = 0
    while true {
        let rates = loads.indices.map { rate(loads[$0], machines[$0]) }
        var due = next < jobs.count ? jobs[next].arrives : .infinity
        var ends: (machine: Int, place: Int)?
        for (machine, load) in loads.enumerated() {
            for (place, job) in load.left.enumerated() where now + job.work / rates[machine] < due {
                due = now + job.work / rates[machine]
                ends = (machine, place)
            }
        }
        guard due < end else { return slowdowns }
        for machine in loads.indices {
            for place in loads[machine].left.indices { loads[machine].left[place].work -= rates[machine] * (due - now) }
        }
        now = due
        if let ends {
            let job = loads[ends.machine].left.remove(at: ends.place)
            slowdowns.append((now - job.arrived) / job.all)
        } else {
            let job = jobs[next]
            next += 1
            loads[choose(job, loads)].left.append((job.work, job.memory, now, job.work))
        }
    }
}

/// What each job gets: an equal share, a tenth of it where memory is overcommitted.
private func rate(_ load: Load, _ machine: (speed: Double, memory: Double)) -> Double {
    guard !load.left.isEmpty else { return 0 }
    let thrashing: Double = load.memory > machine.memory ? 10 : 1
    return machine.speed / (Double(load.left.count) * thrashing)
}

/// The real byCost over a table that says what each machine has.
private final class CostChooser {
    private let node: Node
    /// The paper's L: doubled when the chosen machine has more jobs.
    private var limit: Int32 = 1

    init() throws {
        node = Node(servers: machines.count, own: -1, number: 0, seed: 1, chain: try Chain(["removeSelf", "byCost"]))
    }

    func choose(_ job: Job, _ loads: [Load]) -> Int {
        // The largest machine has 64 GB instead of MB, so that the table's megabytes are as fine as the paper's
        // kilobytes.
        let largest = 65_536.0
        for (index, load) in loads.enumerated() {
            node.write(server: index) { facts in
                facts.total_memory = UInt64(machines[index].memory * largest) << 20
                facts.free_memory = UInt64(max(0, machines[index].memory - load.memory) * largest) << 20
                facts.worker_memory = UInt64(job.memory * largest * 1_048_576)
                facts.load = Int32(load.left.count) * 1000
                facts.load_hwm = self.limit * 1000
            }
        }
        let chosen = node.decide(tried: 0, at: 0) ?? 0
        if loads[chosen].left.count + 1 > Int(limit) { limit *= 2 }
        return chosen
    }
}
