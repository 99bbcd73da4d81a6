// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandModerator
internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText
internal import CSignature

/// A moderator without an httpd: it announces the servers of a configuration, and knows those of others.
final class Daemon {
    private let arguments: ProgramArguments
    private var configuration: AnnounceConfiguration
    private let segment: UnsafeMutablePointer<bh_segment_t>
    private let held: HeldSockets?
    private var bootFile: BootFile
    private var control: ControlListener
    private let keys: UnsafeMutablePointer<csignature_keys>
    /// Texts and lists that the moderator borrows.
    private var borrowed = BorrowedMemory()
    private var watch = ServerWatch()

    /// Makes what outlives a reload.
    init(
        _ arguments: ProgramArguments, _ configuration: AnnounceConfiguration, _ keys: csignature_keys
    ) throws(ConfigurationError) {
        self.arguments = arguments
        self.configuration = configuration
        self.keys = .allocate(capacity: 1)
        self.keys.initialize(to: keys)
        bootFile = BootFile(configuration)
        control = try ControlListener(configuration)
        segment = try Self.makeSegment(bootFile.read())
        held = Self.makeHeld()
    }

    private static func makeSegment(
        _ kept: BootFile.Content?
    ) throws(ConfigurationError) -> UnsafeMutablePointer<bh_segment_t> {
        var memory: UnsafeMutableRawPointer?
        var size = 0
        let failure = mapSegment(childSlots: 1, bootID: kept?.bootID, &memory, &size)
        guard let memory else { throw complaint("cannot map memory: ", SystemError(code: failure)) }
        let segment = memory.assumingMemoryBound(to: bh_segment_t.self)
        // A process that takes over goes on where the one before ended: tenths of a second, of which no one announces
        // that many.
        bh_word_store(&segment.pointee.sequence, UInt64(max(wallSeconds(), 0)) &* 10)
        if let kept { bh_half_store(&segment.pointee.state, kept.state) }
        return segment
    }

    private static func makeHeld() -> HeldSockets? {
        do throws(ModeratorError) {
            return try HeldSockets()
        } catch {
            return nil
        }
    }

    /// Works until a signal ends it. Returns the exit code.
    func run() -> Int32 {
        keepBoot()
        catchStopSignals()
        while true {
            let moderator: Moderator
            do throws(ModeratorError) {
                moderator = try Moderator.open(moderatorConfiguration(), held)
            } catch {
                logError(error.message)
                control.close()
                return 1
            }
            moderator.run()
            moderator.close()
            guard stopSignal() == .reload else { break }
            forgetStopSignal()
            reload()
        }
        if stopSignal() == .end { bootFile.forget() } else { keepBoot() }
        control.close()
        return 0
    }

    /// Reads the configuration again. If something is wrong with it, the one before stays.
    private func reload() {
        do throws(ConfigurationError) {
            let new = try readConfiguration(arguments)
            var newKeys = try readAllKeys(of: new)
            do throws(ConfigurationError) {
                try move(to: new)
            } catch {
                csignature_forget(&newKeys)
                throw error
            }
            csignature_forget(keys)
            keys.pointee = newKeys
            configuration = new
            watch = ServerWatch()
        } catch {
            logError(error.message)
        }
    }

    /// The control socket and what is kept for the next process follow the first server and the folder.
    private func move(to new: AnnounceConfiguration) throws(ConfigurationError) {
        guard !control.isFor(new) else { return }
        let newControl = try ControlListener(new)
        control.close()
        control = newControl
        bootFile.forget()
        bootFile = BootFile(new)
        keepBoot()
    }

    private func keepBoot() {
        do throws(SystemError) {
            let state = bh_half_load(&segment.pointee.state)
            try bootFile.write(BootFile.Content(bootID: segment.pointee.boot_id, state: state))
        } catch {
            logError(complaint("cannot keep the boot id: ", error).message)
        }
    }

    private func moderatorConfiguration() -> bh_moderator_config_t {
        borrowed.removeAll()
        var config = bh_moderator_config_t()
        config.segment = segment
        (config.destinations, config.destination_count) = borrowed.list(configuration.routes)
        (config.accepted, config.accepted_count) = borrowed.list(configuration.accepted)
        config.directory = borrowed.text(configuration.directory)
        config.hostname = borrowed.text(configuration.hostname ?? machineName())
        config.control_fd = control.fd
        config.port = configuration.servers[0].port
        config.interval_ms = 1000
        config.log = { _, level, number, text in logLine(level, number, Word(text)) }
        config.shutdown = { _, isTold in isTold && stopSignal() == .end }
        config.server = { daemon, number, facts in
            guard let daemon else { return }
            Unmanaged<Daemon>.fromOpaque(daemon).takeUnretainedValue().describe(number, &facts.pointee)
        }
        config.baton = Unmanaged.passUnretained(self).toOpaque()
        if keys.pointee.count > 0 {
            config.keys = UnsafeRawPointer(keys)
            config.sign = csignature_make
            config.verify = csignature_check
            config.keys_optional = configuration.key?.isOptional ?? false
        }
        config.expire_s = configuration.expire
        config.alone = true
        (config.checks, config.check_count) = borrowed.list(borrowedChecks())
        config.completed = { daemon, number, check in
            guard let daemon else { return 0 }
            return Unmanaged<Daemon>.fromOpaque(daemon).takeUnretainedValue().completed(number, exceptOver: check)
        }
        return config
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
    private func completed(_ number: UInt16, exceptOver check: Int32) -> UInt64 {
        guard Int(number) < configuration.servers.count else { return 0 }
        let server = configuration.servers[Int(number)]
        let connections = watch.connections(of: Int(number), server, now: monotonicMilliseconds(), isFresh: true)
        guard configuration.values(of: number).isFull(connections) else { return 0 }
        return watch.completed(by: Int(number), server, exceptOver: check)
    }

    /// What is known of one server.
    private func describe(_ number: UInt16, _ facts: inout bh_facts_t) {
        let values = configuration.values(of: number)
        guard Int(number) < configuration.servers.count else { return }
        let server = configuration.servers[Int(number)]
        let connections = watch.connections(of: Int(number), server, now: monotonicMilliseconds())
        if let connections {
            facts.counts_connections = 1
            (facts.connections, facts.listen_queue) = (connections.open, connections.waiting)
        }
        if let workers = values.workers {
            facts.workers = Int32(clamping: workers)
            facts.idle_workers = Int32(clamping: values.idleWorkers(of: workers, connections))
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

/// What was tried, and what the system said.
func complaint(_ begin: StaticString, _ why: SystemError) -> ConfigurationError {
    var message = Message(begin)
    message.add(why.message)
    return message.error
}
