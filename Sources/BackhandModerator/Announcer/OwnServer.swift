// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// This server as it is announced: its machine, its workers, and what the configuration says of both.
final class OwnServer {
    private let config: bh_moderator_config_t
    private let log: Log
    private var sampler = HostSampler()
    private var cpuUse = CPUUse()
    private var stall = Stall()
    private var arriba: Int32 = 0
    /// Figures that the system does not tell; each is named once.
    private var missingFigures: [HostFigure] = []

    init(_ config: bh_moderator_config_t, _ log: Log) {
        self.config = config
        self.log = log
    }

    func close() { sampler.close() }

    func look() -> bh_facts_t {
        var missing: [HostFigure] = []
        let sample = sampler.sample { missing.append($0) }
        for figure in missing { tellMissing(figure) }
        let workers = config.lookAtWorkers()
        let memory = meanWorkerMemory(workers) { sampler.privateMemory(of: $0) }
        var facts = ownFacts(sample, workers, workerMemory: memory, arriba: arriba)
        facts.stalled_ms = stall.milliseconds(of: workers, now: monotonicNanoseconds() / 1_000_000) {
            sampler.isStopped($0)
        }
        facts.slashes = config.slashes
        facts.idle_cost = config.idle_cost
        facts.keepalive_ms = config.keepalive_ms
        facts.keepalive_requests = config.keepalive_requests
        facts.cpu_used = cpuUse.share(of: workers) { sampler.cpuTime(of: $0) }
        facts.capacity =
            config.capacity > 0
            ? config.capacity : capacity(arriba: arriba, cores: sampler.usableCores(of: sample.cpus))
        return facts
    }

    private func tellMissing(_ figure: HostFigure) {
        guard !missingFigures.contains(figure) else { return }
        missingFigures.append(figure)
        let name: StaticString =
            switch figure {
            case .load: "load average"
            case .idle: "idle time of the CPUs"
            case .memory: "memory"
            }
        log(
            BH_LOG_WARNING, LogNumber.figureMissing,
            "the system does not tell its {}: the last known value is announced", .word(name))
    }

    /// The speed of this machine: as it was kept, else measured and kept.
    func prepareArriba() -> Int32 {
        let file = config.directory.map { ArribaFile(directory: Path(cString: $0)) }
        if let kept = file?.read() {
            arriba = kept
        } else {
            arriba = measureArriba(clock: monotonicNanoseconds)
            log(BH_LOG_INFO, LogNumber.arribaMeasured, "arriba measured: {}", .number(UInt64(max(arriba, 0))))
            if let file { keepArriba(file) }
            // Our own measuring is not load of this machine.
            sampler.restart()
        }
        return arriba
    }

    private func keepArriba(_ file: ArribaFile) {
        do throws(SystemError) {
            try file.write(arriba)
        } catch {
            log(
                BH_LOG_WARNING, LogNumber.arribaNotKept,
                "cannot write {}: {}; the speed of this machine is measured at each start", .text(file.path.message),
                .text(error.message))
        }
    }
}

extension bh_moderator_config_t {
    /// What httpd's scoreboard says now.
    func lookAtWorkers() -> bh_workers_t {
        var found = bh_workers_t()
        workers?(baton, &found)
        return found
    }
}
