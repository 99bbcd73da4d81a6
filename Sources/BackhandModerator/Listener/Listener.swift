// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

/// Reads what others send, asks the gatekeeper, and acts: writes to the table, or replies.
final class Listener {
    let segment: UnsafeMutablePointer<bh_segment_t>
    let log: Log
    let sockets: Sockets
    let gatekeeper: Gatekeeper
    private let announcer: Announcer
    private var warnings: PeerWarnings
    /// Takes what is another module's.
    private let hearMore: (@convention(c) (UnsafeMutablePointer<bh_segment_t>, UnsafeRawPointer, Int, UInt64) -> Void)?
    /// Whether the kernel drops for us: not each system can.
    var isFiltering = false
    var losses = LossWatch()
    var lossLine = Minute()
    var floodLine = Minute()
    /// Datagrams are read into this. One byte more than an announcement may have is not needed: the true length comes
    /// with it.
    private let inbox = Inbox(size: announcementLimit)
    /// Challenges and answers are made in this.
    private let reply = Outbox(size: announcementLimit)

    init(
        _ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>, _ log: Log, _ sockets: Sockets,
        _ gatekeeper: Gatekeeper, _ announcer: Announcer
    ) {
        self.segment = segment
        self.log = log
        self.sockets = sockets
        self.gatekeeper = gatekeeper
        self.announcer = announcer
        warnings = PeerWarnings(config, log)
        hearMore = config.extension?.pointee.hear
    }

    // ---- Reading ----

    /// Reads what has arrived, from each socket up to the limit; returns how many datagrams there were, nil if no
    /// socket was readable.
    ///
    /// - Parameter first: the first listening socket's place in the last wait; the others follow.
    func hear(_ writer: inout StatsWriter, _ readiness: Readiness, from first: Int, limit: Int, now: UInt64) -> Int? {
        var read: Int?
        for index in sockets.listeners.indices where readiness.isReadable(first + index) {
            read =
                (read ?? 0)
                + empty(sockets.listeners[index].socket, limit: limit, now: now) { datagram in
                    writer.count(BH_COUNT_RECEIVED)
                    act(gatekeeper.check(datagram, writer, now: now), datagram, at: nil, &writer, now: now)
                }
        }
        return read
    }

    /// Reads what has arrived at the sockets that we announce from: challenges, and answers to ours.
    ///
    /// - Parameter first: the first of these sockets' place in the last wait; the others follow.
    func hearReplies(_ writer: inout StatsWriter, _ readiness: Readiness, from first: Int, limit: Int, now: UInt64) {
        for index in sockets.senders.indices where readiness.isReadable(first + index) {
            _ = empty(sockets.senders[index].socket, limit: limit, now: now) { datagram in
                writer.count(BH_COUNT_RECEIVED)
                act(gatekeeper.checkReply(datagram, now: now), datagram, at: index, &writer, now: now)
            }
        }
    }

    /// Takes the socket's datagrams in batches until there are none, or the limit is reached; returns how many there
    /// were.
    private func empty(_ socket: UDPSocket, limit: Int, now: UInt64, each: (Datagram) -> Void) -> Int {
        noteLosses(at: socket, now: now)
        var read = 0
        while read < limit {
            let count = inbox.fill(from: socket, most: limit - read)
            for place in 0..<count {
                let sender = bh_address_t(ipv4: inbox.sender(place))
                each(
                    Datagram(
                        bytes: inbox.bytes(place), length: inbox.length(place), sender: sender, port: inbox.port(place))
                )
            }
            read += count
            if count < Inbox.capacity { break }
        }
        losses.noteReceived(read)
        noteFlood(now: now)
        return read
    }

    // ---- Acting ----

    /// - Parameter socket: which of the sockets that we announce from has received it; nil: none of them.
    private func act(
        _ verdict: Verdict, _ datagram: Datagram, at socket: Int?, _ writer: inout StatsWriter, now: UInt64
    ) {
        switch verdict {
        case .ignored(let counter): writer.count(counter)
        case .refused(let counter): gatekeeper.refuse(counter, from: datagram.sender, writer, now: now)
        case .unproven(let facts): challenge(facts, datagram, writer, now: now)
        case .accepted(let facts, let proof, let asks):
            if asks { challenge(facts, datagram, writer, now: now) }
            if proof == .signed, gatekeeper.signer == nil { warnings.key(facts, now: now) }
            enter(facts, proof, from: datagram, &writer, now: now)
        case .asked(let challenge):
            if let socket { answer(challenge, datagram, at: socket, writer, now: now) }
        }
    }

    /// Writes what is accepted to the table.
    private func enter(
        _ facts: bh_facts_t, _ proof: Proof, from datagram: Datagram, _ writer: inout StatsWriter, now: UInt64
    ) {
        let sender = datagram.sender
        if let wrong = gatekeeper.objection(to: facts, from: sender, writer, now: now) {
            return gatekeeper.refuse(wrong, from: sender, writer, now: now)
        }
        let isStranger = writer.isStranger(bootID: facts.boot_id)
        let wall = wallSeconds()
        var facts = facts
        facts.clock_s = gatekeeper.signer == nil ? 0 : ahead(wall, of: facts.changed_wall)
        let heard = writer.hear(facts, from: sender, proof: proof, now: now, wall: wall)
        if case .row(let id) = heard {
            gatekeeper.noteAccepted(sender)
            // Without a key nothing has looked at the signature.
            if proof != .none, gatekeeper.signer != nil, let hearMore {
                hearMore(segment, datagram.bytes.baseAddress!, datagram.length, now)
            }
            if gatekeeper.signer != nil { warnings.clock(facts, now: now) }
            warnings.slashes(facts, id, isStranger, ours: announcer.announced.first ?? facts, now: now)
            if isStranger { announcer.greeting.begin(now: now, us: segment.pointee.boot_id, servers: writer.rows) }
        }
        // Counted by the writer already.
        if heard == .tableFull { gatekeeper.noteRefused(BH_COUNT_TABLE_FULL, from: sender, now: now) }
    }

    /// Asks the announcement's sender to prove that it is not a recording.
    private func challenge(_ facts: bh_facts_t, _ datagram: Datagram, _ writer: StatsWriter, now: UInt64) {
        let length = gatekeeper.makeChallenge(facts, to: datagram, writer, now: now, into: reply.room)
        guard length > 0, let target = datagram.sender.ipv4, let socket = sockets.socket(towards: target),
            send(length, to: target, port: datagram.port, with: socket)
        else { return }
        gatekeeper.noteChallenge(to: datagram.sender, writer, now: now)
    }

    /// Repeats the nonce in what we announced last, if we are meant.
    private func answer(_ challenge: Challenge, _ datagram: Datagram, at index: Int, _ writer: StatsWriter, now: UInt64)
    {
        let announced = announcer.announced
        guard announced.indices.contains(index), challenge.bootID == announced[index].boot_id,
            let target = datagram.sender.ipv4
        else { return }
        let length = gatekeeper.makeAnswer(
            announced[index], challenge, to: datagram.sender, writer, now: now, into: reply.room)
        guard length > 0, send(length, to: target, port: datagram.port, with: sockets.senders[index].socket) else {
            return
        }
        writer.count(BH_COUNT_ANSWERED)
    }

    /// The reply is lost like any datagram: the next announcement is challenged again.
    private func send(_ length: Int, to target: UInt32, port: UInt16, with socket: UDPSocket) -> Bool {
        do throws(SystemError) {
            try reply.send(length, to: target, port: port, with: socket)
            return true
        } catch {
            return false
        }
    }
}
