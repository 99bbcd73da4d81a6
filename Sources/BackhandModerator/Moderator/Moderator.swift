// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// The one helper process of an httpd: announces, listens, owns the table and answers the control socket.
///
/// Single-threaded; everything happens between two waits. Files and ports are touched only in ``run()``, when the
/// process has no privileges any more: what the network needs later must be possible without them.
public final class Moderator {
    let config: bh_moderator_config_t
    let segment: UnsafeMutablePointer<bh_segment_t>
    let log: Log
    let sockets: Sockets
    /// The parts, each of which has its own state; this one only calls them in turn.
    let network: NetworkFollower
    let gatekeeper: Gatekeeper
    let announcer: Announcer
    let checks: Checks
    let listener: Listener
    let drainFile: DrainFile
    let control: Control
    let news: NewsWriter
    var poolCheck: PoolCheck
    let parent: Int32
    /// Since when there has been a round a second, and the last one; 0: none yet.
    var lastRound: UInt64 = 0
    /// Before this time no process may count ages to our beats: after a gap, not all servers have been heard yet.
    var beatFrom: UInt64 = 0

    private init(
        _ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>, _ sockets: Sockets,
        _ control: ControlServer, _ mint: NonceMint?
    ) {
        let log = Log(config)
        let network = NetworkFollower(config, segment, log, sockets)
        let gatekeeper = Gatekeeper(config, segment, log, network, mint)
        let checks = Checks(config, segment, log, network)
        let announcer = Announcer(config, segment, log, sockets, network, gatekeeper.signer, checks)
        self.config = config
        self.segment = segment
        self.log = log
        self.sockets = sockets
        self.network = network
        self.gatekeeper = gatekeeper
        self.announcer = announcer
        self.checks = checks
        drainFile = DrainFile(config, segment, log, announcer)
        self.control = Control(control, config, segment, log, announcer)
        listener = Listener(config, segment, log, sockets, gatekeeper, announcer)
        news = NewsWriter(segment, log)
        poolCheck = PoolCheck(config, segment, log)
        parent = parentProcessID()
    }

    /// - Parameter held: where the sockets of the moderator before are, and where its own are to be for the next.
    public static func open(
        _ config: bh_moderator_config_t, _ held: HeldSockets? = nil
    ) throws(ModeratorError) -> Moderator {
        guard let segment = config.segment else { throw ModeratorError(BH_EINVAL, Message("there is no segment")) }
        let control: ControlServer
        do throws(SystemError) {
            control = try ControlServer(fd: config.control_fd)
        } catch {
            throw ModeratorError(cannot: "use the control socket", error)
        }
        let mint = try mint(config)
        try NetworkPlan.check(
            UnsafeBufferPointer(start: config.destinations, count: config.destination_count), port: config.port)
        return Moderator(config, segment, Sockets(held, lines: config.destination_count), control, mint)
    }

    private static func mint(_ config: bh_moderator_config_t) throws(ModeratorError) -> NonceMint? {
        guard Signer(config) != nil else { return nil }
        do throws(SystemError) {
            return try NonceMint()
        } catch {
            throw ModeratorError(cannot: "make a secret", error)
        }
    }

    /// Takes over the segment and works until a stop signal arrives, the parent dies or another moderator takes over.
    public func run() {
        catchStopSignals()
        // The signals interrupt the wait: it may be as long as an announcement's interval.
        run(attention: 1000, stop: stopRequested, senders: stopSenders)
    }

    /// Closes the sockets, the control socket and the sampler's descriptors. The segment stays as it is.
    public func close() {
        network.end()
        sockets.close()
        control.close()
        checks.close()
        announcer.close()
    }
}
