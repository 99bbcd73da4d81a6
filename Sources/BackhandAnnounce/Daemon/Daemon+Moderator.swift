// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandModerator
internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText
internal import CSignature

// What the moderator is told, and what it asks.

extension Daemon {
    /// What the moderator is to do. It borrows texts and lists until it is closed.
    func moderatorConfiguration() -> bh_moderator_config_t {
        borrowed.removeAll()
        var config = bh_moderator_config_t()
        config.segment = segment
        (config.destinations, config.destination_count) = borrowed.list(configuration.routes)
        (config.accepted, config.accepted_count) = borrowed.list(configuration.accepted)
        config.directory = borrowed.text(configuration.directory)
        config.hostname = borrowed.text(configuration.hostname ?? machineName())
        config.control_fd = control.fd
        config.port = configuration.port
        config.interval_ms = 1000
        config.log = { _, level, number, text in logLine(level, number, Word(text)) }
        // The moderator looks at the workers of its httpd once a second. Here there are none.
        config.workers = { baton, _ in Daemon.of(baton)?.tellManager() }
        config.shutdown = { baton, isTold in isTold && Daemon.of(baton)?.saysFarewell == true }
        config.server = { baton, number, checks, facts in Daemon.of(baton)?.describe(number, checks, &facts.pointee) }
        config.baton = Unmanaged.passUnretained(self).toOpaque()
        config.drain_file = configuration.drainFile.map { borrowed.text($0) }
        if keys.pointee.count > 0 {
            config.keys = UnsafeRawPointer(keys)
            config.sign = csignature_make
            config.verify = csignature_check
            config.keys_optional = configuration.key?.isOptional ?? false
        }
        config.expire_s = configuration.expire
        config.alone = true
        config.listens_only = configuration.listensOnly
        (config.checks, config.check_count) = borrowed.list(borrowedChecks())
        config.completed = { baton, number, checks in Daemon.of(baton)?.completed(number, checks) ?? 0 }
        return config
    }

    /// The one whose baton a moderator hands back.
    private static func of(_ baton: UnsafeMutableRawPointer?) -> Daemon? {
        baton.map { Unmanaged<Daemon>.fromOpaque($0).takeUnretainedValue() }
    }

    /// The checks of all servers. They were found good when the configuration was read.
    private func borrowedChecks() -> [bh_check_t] {
        var checks: [bh_check_t] = []
        for number in configuration.servers.indices {
            for words in configuration.values(of: UInt16(clamping: number)).checks {
                let (start, count) = borrowed.list(words)
                do throws(ConfigurationError) {
                    var check = try parseCheck(UnsafeBufferPointer(start: start, count: count))
                    check.vhost = UInt16(clamping: number)
                    checks.append(check)
                } catch {
                    logError(error.message)
                }
            }
        }
        return checks
    }

    /// How often it was seen that the server completed requests; 0: by what is known of its workers, some are idle.
    private func completed(_ number: UInt16, _ checks: UInt32) -> UInt64 {
        guard Int(number) < configuration.servers.count else { return 0 }
        let server = configuration.servers[Int(number)]
        let now = monotonicMilliseconds()
        let values = configuration.values(of: number)
        let connections = watch.connections(of: Int(number), server, checks: checks, now: now, isFresh: true)
        guard values.isFull(connections) else { return 0 }
        return watch.completed(by: Int(number), server, now: now)
    }

    /// What is known of one server.
    private func describe(_ number: UInt16, _ checks: UInt32, _ facts: inout bh_facts_t) {
        let values = configuration.values(of: number)
        guard Int(number) < configuration.servers.count else { return }
        let server = configuration.servers[Int(number)]
        let now = monotonicMilliseconds()
        let connections = watch.connections(of: Int(number), server, checks: checks, now: now)
        if let connections {
            facts.counts_connections = 1
            (facts.connections, facts.listen_queue) = (connections.open, connections.waiting)
        }
        if let workers = values.workers {
            facts.workers = Int32(clamping: workers)
            facts.idle_workers = Int32(clamping: values.idleWorkers(of: workers, connections))
        }
        let use = watch.groups(of: Int(number), named: values.groups, listening: connections?.group ?? 0, now: now)
        facts.cpu_used = use?.cpu ?? BH_CPU_UNKNOWN
        if let limit = use?.limit {
            facts.capacity = min(facts.capacity, capacity(arriba: facts.arriba, cores: limit))
        }
        if let capacity = values.capacity { facts.capacity = capacity }
        facts.idle_cost = UInt32(values.idleCost.rawValue)
        facts.keepalive_ms = values.keepAliveTimeout.map { $0 &* 1000 } ?? 0
    }
}

extension ServerValues {
    /// What a kept connection costs, as it is announced. Without a time-out balancers would keep none, so that it is
    /// not known where it costs nothing.
    var idleCost: bh_idle_t {
        switch idleHoldsWorker {
        case true?: BH_IDLE_WORKER
        case false? where keepAliveTimeout != nil: BH_IDLE_FREE
        default: BH_IDLE_UNKNOWN
        }
    }
}
