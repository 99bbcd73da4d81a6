// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

/// Decides which sender may announce what: the checks of docs/threat-model.md, in the order of the work that they need.
final class Gatekeeper {
    private let config: bh_moderator_config_t
    private let segment: UnsafeMutablePointer<bh_segment_t>
    private let log: Log
    private let network: NetworkFollower
    /// nil: announcements are not signed. Both or none.
    let signer: Signer?
    private let mint: NonceMint?
    /// AcceptStats, as far as a socket filter can compare it.
    private let networks: [(base: UInt32, mask: UInt32)]
    private var newcomers = NewcomerLimit()
    private var challenges: ReplyLimit
    private var answers: ReplyLimit
    private var checks: CheckLimit
    private var drops = DropLog()
    /// What was heard and is not in the table.
    private var refused = RefusedSenders()
    var flood = FloodWatch(sample: UInt64(SocketFilter.sample))

    init(
        _ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>, _ log: Log,
        _ network: NetworkFollower, _ mint: NonceMint?
    ) {
        self.config = config
        self.segment = segment
        self.log = log
        self.network = network
        self.mint = mint
        signer = mint == nil ? nil : Signer(config)
        networks = UnsafeBufferPointer(start: config.accepted, count: config.accepted_count).compactMap { $0.ipv4 }
        let secret = Self.secret
        challenges = ReplyLimit(secret: secret)
        answers = ReplyLimit(secret: mix(secret))
        checks = CheckLimit(secret: secret)
    }

    /// Decides which senders share a bucket. If the system has no random number, the time will do: it is only harder to
    /// guess than nothing.
    private static var secret: UInt64 {
        do throws(SystemError) {
            return try randomWord()
        } catch {
            return monotonicNanoseconds()
        }
    }

    /// Whether only what is signed is accepted.
    var isKeyRequired: Bool { signer?.isRequired ?? false }

    // ---- What comes to the addresses at which all are heard ----

    func check(_ datagram: Datagram, _ writer: StatsWriter, now: UInt64) -> Verdict {
        guard isAccepted(datagram.sender) else {
            return isOwn(datagram, writer) ? .ignored(BH_COUNT_OWN) : .refused(BH_COUNT_NOT_ACCEPTED)
        }
        guard datagram.length <= announcementLimit else { return .refused(BH_COUNT_OVERSIZED) }
        switch decodeAnnouncement(datagram.bytes) {
        case .dropped(let counter):
            return .refused(counter)
        case .announcement(let facts):
            if let useless = uselessness(facts, datagram, writer, now: now) { return .ignored(useless) }
            if let wrong = forgery(datagram, now: now) { return .refused(wrong) }
            return check(facts, isSigned: SignedParts(datagram.bytes) != nil, from: datagram.sender, writer, now: now)
        }
    }

    /// An announcement that has the right signature, if one is needed.
    private func check(
        _ facts: bh_facts_t, isSigned: Bool, from sender: bh_address_t, _ writer: StatsWriter, now: UInt64
    ) -> Verdict {
        if writer.isOwn(bootID: facts.boot_id) { return .ignored(BH_COUNT_OWN) }
        if let wrong = steering(facts, from: sender, isSigned: isSigned && signer != nil) { return .refused(wrong) }
        if writer.needsProof(facts, now: now) { return .unproven(facts) }
        return .accepted(facts, isSigned ? .signed : .none, asks: isSigned && writer.wantsProof(facts))
    }

    // ---- What comes to the addresses from which we announce ----

    func checkReply(_ datagram: Datagram, now: UInt64) -> Verdict {
        guard isAccepted(datagram.sender) else { return .refused(BH_COUNT_NOT_ACCEPTED) }
        guard datagram.length <= announcementLimit else { return .refused(BH_COUNT_OVERSIZED) }
        if let challenge = Challenge(datagram.bytes) {
            guard answers.allows(challenge.nonce.high, datagram.sender, now: now) else {
                return .ignored(BH_COUNT_UNCHALLENGED)
            }
            guard SignedParts(datagram.bytes) != nil else { return .refused(BH_COUNT_UNSIGNED) }
            return forgery(datagram, now: now).map { .refused($0) } ?? .asked(challenge)
        }
        switch decodeAnnouncement(datagram.bytes) {
        case .dropped(let counter): return .refused(counter)
        case .announcement(let facts): return checkAnswer(facts, datagram, now: now)
        }
    }

    private func checkAnswer(_ facts: bh_facts_t, _ datagram: Datagram, now: UInt64) -> Verdict {
        guard SignedParts(datagram.bytes) != nil else { return .refused(BH_COUNT_UNSIGNED) }
        if let wrong = forgery(datagram, now: now) ?? steering(facts, from: datagram.sender, isSigned: true) {
            return .refused(wrong)
        }
        guard let signer, let mint, let nonce = answeredNonce(datagram.bytes),
            mint.isFresh(nonce, for: facts.boot_id, at: datagram.sender, port: datagram.port, now: now, signer)
        else { return .refused(BH_COUNT_BAD_ANSWER) }
        return .accepted(facts, .answered, asks: false)
    }

    // ---- The checks ----

    func isAccepted(_ sender: bh_address_t) -> Bool {
        for network in UnsafeBufferPointer(start: config.accepted, count: config.accepted_count)
        where network.contains(sender) {
            return true
        }
        return false
    }

    /// Whether this is our own announcement, heard back by an httpd that does not accept itself: nothing to warn of.
    private func isOwn(_ datagram: Datagram, _ writer: StatsWriter) -> Bool {
        guard datagram.length <= announcementLimit,
            network.plan.routes.contains(where: { $0.local == datagram.sender.ipv4 }),
            case .announcement(let facts) = decodeAnnouncement(datagram.bytes)
        else { return false }
        return writer.isOwn(bootID: facts.boot_id)
    }

    /// Why an announcement would change nothing even if its signature were good, which then need not be checked; nil if
    /// it might.
    private func uselessness(
        _ facts: bh_facts_t, _ datagram: Datagram, _ writer: StatsWriter, now: UInt64
    ) -> bh_counter_t? {
        guard signer != nil, SignedParts(datagram.bytes) != nil, !writer.isOwn(bootID: facts.boot_id) else {
            return nil
        }
        if writer.isOld(facts, now: now) { return BH_COUNT_REPEATED }
        guard writer.needsProof(facts, now: now) else { return nil }
        return challenges.allows(facts.boot_id, datagram.sender, sequence: facts.sequence, now: now)
            ? nil : BH_COUNT_UNCHALLENGED
    }

    /// Why the signature is wrong or not worth a check; nil if it is good, or if there is no key.
    private func forgery(_ datagram: Datagram, now: UInt64) -> bh_counter_t? {
        guard let signer else { return nil }
        guard let parts = SignedParts(datagram.bytes) else { return signer.isRequired ? BH_COUNT_UNSIGNED : nil }
        guard checks.take(datagram.sender, now: now) else { return BH_COUNT_UNCHECKED }
        return signer.verify(parts) ? nil : BH_COUNT_BAD_SIGNATURE
    }

    /// Why no server may announce such an address from there; nil if it may be a server.
    func steering(_ facts: bh_facts_t, from sender: bh_address_t, isSigned: Bool) -> bh_counter_t? {
        if facts.address.isLinkLocal || (facts.address.isLoopback && !sender.isLoopback) { return BH_COUNT_FORBIDDEN }
        if !isAccepted(facts.address) { return BH_COUNT_OUTSIDE }
        return !isSigned && facts.address != sender ? BH_COUNT_OTHERS_ADDRESS : nil
    }

    /// Why accepted facts do not go to the table; nil if they do. Only what has come so far counts for a sender's
    /// newcomers: recordings and forgeries do not.
    func objection(to facts: bh_facts_t, from sender: bh_address_t, _ writer: StatsWriter, now: UInt64) -> bh_counter_t?
    {
        if isImpersonation(facts, writer) { return BH_COUNT_OWN_ADDRESS }
        return writer.isNew(facts) && !newcomers.admit(sender, now: now) ? BH_COUNT_CROWD : nil
    }

    /// Whether another httpd takes our place, by a copied configuration or on purpose: a row for it would make us proxy
    /// to ourselves.
    private func isImpersonation(_ facts: bh_facts_t, _ writer: StatsWriter) -> Bool {
        let plan = network.plan
        // A server that takes over the main server's address while that is not ours is one: row 0 stands for us all the
        // same.
        return !writer.isOwn(bootID: facts.boot_id)
            && (plan.routes.contains { $0.own == facts.address && $0.ownPort == facts.port }
                || plan.vhosts.dropFirst().contains { $0.own == facts.address && $0.ownPort == facts.port })
    }

    // ---- Proofs: challenges and answers ----

    /// Writes a challenge for an announcement's sender, signed; returns its length, 0 if there is none.
    func makeChallenge(
        _ facts: bh_facts_t, to datagram: Datagram, _ writer: StatsWriter, now: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        let (sender, port) = (datagram.sender, datagram.port)
        guard
            challenges.take(
                facts.boot_id, sender, isAtHome: facts.address == sender, sequence: facts.sequence, now: now)
        else {
            writer.count(BH_COUNT_UNCHALLENGED)
            return 0
        }
        guard let signer, let mint, let nonce = mint.nonce(for: facts.boot_id, at: sender, port: port, now: now, signer)
        else { return 0 }
        let length = Challenge(bootID: facts.boot_id, nonce: nonce).encode(into: buffer)
        return signer.sign(buffer, length) ? length : 0
    }

    /// A challenge was sent.
    func noteChallenge(to sender: bh_address_t, _ writer: StatsWriter, now: UInt64) {
        writer.count(BH_COUNT_CHALLENGED)
        if isKeyRequired { refused.note(sender, BH_COUNT_CHALLENGED, now: now) }
    }

    /// Writes what we announced last with a challenge's nonce, signed; returns its length, 0 if there is none.
    func makeAnswer(
        _ announced: bh_facts_t, _ challenge: Challenge, to sender: bh_address_t, _ writer: StatsWriter, now: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        guard let signer else { return 0 }
        guard answers.take(challenge.nonce.high, sender, now: now) else {
            writer.count(BH_COUNT_UNCHALLENGED)
            return 0
        }
        var facts = announced
        facts.sent_ms = monotonicMilliseconds()
        facts.changed_wall = wallSeconds()
        let length = encodeAnnouncement(facts, answering: challenge.nonce, signed: true, into: buffer)
        return signer.sign(buffer, length) ? length : 0
    }

    // ---- What was refused ----

    func refuse(_ counter: bh_counter_t, from sender: bh_address_t, _ writer: StatsWriter, now: UInt64) {
        writer.count(counter)
        if isFilterable(counter) { flood.note() }
        noteRefused(counter, from: sender, now: now)
    }

    /// Tells of a datagram that the table's writer has counted itself.
    func noteRefused(_ counter: bh_counter_t, from sender: bh_address_t, now: UInt64) {
        refused.note(sender, counter, now: now)
        guard let line = dropLine(counter), let count = drops.note(counter, now: now) else { return }
        log(
            BH_LOG_WARNING, line.number, "a datagram from {} was dropped: {} ({} since the last line)",
            .address(sender), .word(line.why), .number(count))
    }

    /// The sender is in the table now.
    func noteAccepted(_ sender: bh_address_t) { refused.forgetUnproven(sender) }

    /// Once a second.
    func publishRefused(now: UInt64) { refused.publish(to: segment, now: now) }

    // ---- More than we can read ----

    /// Whether the socket filter drops such datagrams too.
    private func isFilterable(_ counter: bh_counter_t) -> Bool {
        switch counter {
        case BH_COUNT_NOT_ACCEPTED: !networks.isEmpty && networks.count <= SocketFilter.mostNetworks
        case BH_COUNT_FOREIGN: true
        case BH_COUNT_UNSIGNED: isKeyRequired
        default: false
        }
    }

    /// Passes what begins as all datagrams of ours, is signed if it must be, and comes from AcceptStats.
    var socketFilter: SocketFilter {
        var marks = [SocketFilter.Mark(offset: 0, number: magic)]
        if isKeyRequired { marks.append(SocketFilter.Mark(offset: -Int32(signatureSize) - 4, number: signatureHead)) }
        return SocketFilter(marks: marks, networks: networks)
    }
}
