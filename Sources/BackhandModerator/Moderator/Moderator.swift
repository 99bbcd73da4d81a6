// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

/// The one helper process of an httpd: announces, listens, owns the table and answers the control socket.
///
/// Single-threaded; everything happens between two waits. Files and ports are touched only in ``run()``, when the process has no privileges any
/// more: what the network needs later must be possible without them.
public final class Moderator {
    let config: bh_moderator_config_t
    let segment: UnsafeMutablePointer<bh_segment_t>
    let log: Log
    let sockets: Sockets
    let network: NetworkFollower
    let parent: Int32
    let announcer: Announcer
    let control: Control
    var drops = DropLog()
    /// Who was heard and is not in the table.
    var refused = RefusedSenders()
    let news: NewsWriter
    /// nil: announcements are not signed. Both or none.
    let signer: Signer?
    let mint: NonceMint?
    /// Whether only what is signed is accepted.
    var isKeyRequired: Bool { signer?.isRequired ?? false }
    /// When lines that warn of other servers' keys and clocks may be written.
    var signedHere = Minute()
    var clocks = Minute()
    var slashes = SlashWatch()
    var newcomers = NewcomerLimit()
    var challenges: ReplyLimit
    var answers: ReplyLimit
    var checks: CheckLimit
    var flood = FloodWatch(sample: UInt64(SocketFilter.sample))
    /// AcceptStats, as far as a socket filter can compare it.
    let networks: [(base: UInt32, mask: UInt32)]
    /// Whether the kernel drops for us: not each system can.
    var isFiltering = false
    var losses = LossWatch()
    /// Since when there has been a round a second, and the last one; 0: none yet.
    var lastRound: UInt64 = 0
    /// Before this time nobody may count ages to our beats: after a gap, not all servers have been heard yet.
    var beatFrom: UInt64 = 0
    /// Datagrams are read into this. One byte more than an announcement may have is not needed: the true length comes with it.
    let inbox = Inbox(size: announcementLimit)
    /// Challenges and answers are made in this.
    let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: announcementLimit, alignment: 8)

    private init(
        _ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>, _ sockets: Sockets,
        _ control: ControlServer, _ mint: NonceMint?
    ) {
        self.config = config
        self.segment = segment
        self.sockets = sockets
        self.mint = mint
        networks = UnsafeBufferPointer(start: config.accepted, count: config.accepted_count).compactMap { $0.ipv4 }
        let signer = mint == nil ? nil : Signer(config)
        self.signer = signer
        let log = Log(config)
        self.log = log
        news = NewsWriter(segment, log)
        network = NetworkFollower(config, segment, log, sockets)
        announcer = Announcer(config, segment, log, sockets, network, signer)
        self.control = Control(control, config, segment, log, announcer)
        let secret = Self.secret
        challenges = ReplyLimit(secret: secret)
        answers = ReplyLimit(secret: mix(secret))
        checks = CheckLimit(secret: secret)
        parent = parentProcessID()
    }

    /// Decides which senders share a bucket. If the system has no random number, the time will do: it is only harder to guess than nothing.
    private static var secret: UInt64 {
        do throws(SystemError) {
            return try randomWord()
        } catch {
            return monotonicNanoseconds()
        }
    }

    deinit {
        reply.deallocate()
    }

    var plan: NetworkPlan { network.plan }

    /// - Parameter held: where the sockets of the moderator before are, and where its own are to be for the next.
    public static func open(_ config: bh_moderator_config_t, _ held: HeldSockets? = nil) throws(ModeratorError) -> Moderator {
        guard let segment = config.segment else { throw ModeratorError(BH_EINVAL, "there is no segment") }
        let control: ControlServer
        do throws(SystemError) {
            control = try ControlServer(fd: config.control_fd)
        } catch {
            throw ModeratorError(cannot: "use the control socket", error)
        }
        let mint = try mint(config)
        try NetworkPlan.check(UnsafeBufferPointer(start: config.destinations, count: config.destination_count), port: config.port)
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
        run(attention: 1000, stop: stopRequested, isParents: stopIsParents)
    }

    public func close() {
        network.end()
        sockets.close()
        control.close()
        announcer.close()
    }
}
