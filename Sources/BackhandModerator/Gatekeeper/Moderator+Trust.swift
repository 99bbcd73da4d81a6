// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandWire

// Who may say what: the checks of docs/threat-model.md.

extension Moderator {
    /// Why nobody may announce such an address from there; nil if it may be a server.
    func steering(_ facts: bh_facts_t, from sender: bh_address_t, isSigned: Bool) -> bh_counter_t? {
        if facts.address.isLinkLocal || (facts.address.isLoopback && !sender.isLoopback) { return BH_COUNT_FORBIDDEN }
        if !isAccepted(facts.address) { return BH_COUNT_OUTSIDE }
        return !isSigned && facts.address != sender ? BH_COUNT_OTHERS_ADDRESS : nil
    }

    /// Why the signature is wrong or not worth a check; nil if it is good, or if there is no key.
    func forgery(_ datagram: UnsafeRawBufferPointer, from sender: bh_address_t, now: UInt64) -> bh_counter_t? {
        guard let signer else { return nil }
        guard let parts = SignedParts(datagram) else { return signer.isRequired ? BH_COUNT_UNSIGNED : nil }
        guard checks.take(sender, now: now) else { return BH_COUNT_UNCHECKED }
        return signer.verify(parts) ? nil : BH_COUNT_BAD_SIGNATURE
    }

    /// Why an announcement would change nothing even if its signature were good, which then need not be checked; nil if it might.
    func uselessness(
        _ facts: bh_facts_t, _ datagram: UnsafeRawBufferPointer, from sender: bh_address_t, _ writer: StatsWriter, now: UInt64
    ) -> bh_counter_t? {
        guard signer != nil, SignedParts(datagram) != nil, !writer.isOwn(bootID: facts.boot_id) else { return nil }
        if writer.isOld(facts, now: now) { return BH_COUNT_REPEATED }
        guard writer.needsProof(facts, now: now) else { return nil }
        return challenges.allows(facts.boot_id, sender, sequence: facts.sequence, now: now) ? nil : BH_COUNT_UNCHALLENGED
    }

    /// Asks the announcement's sender to prove that it is no recording.
    func challenge(_ facts: bh_facts_t, at sender: bh_address_t, port: UInt16, _ writer: StatsWriter, now: UInt64) {
        guard challenges.take(facts.boot_id, sender, isAtHome: facts.address == sender, sequence: facts.sequence, now: now) else {
            return writer.count(BH_COUNT_UNCHALLENGED)
        }
        guard let signer, let mint, let target = sender.ipv4, let socket = socket(towards: target),
            let nonce = mint.nonce(for: facts.boot_id, at: sender, port: port, now: now, signer)
        else { return }
        let length = Challenge(bootID: facts.boot_id, nonce: nonce).encode(into: reply)
        guard signer.sign(reply, length), send(length, to: target, port: port, with: socket) else { return }
        writer.count(BH_COUNT_CHALLENGED)
        if isKeyRequired { refused.note(sender, BH_COUNT_CHALLENGED, now: now) }
    }

    /// Reads what has arrived at the sockets that we announce from: challenges, and answers to ours.
    ///
    /// - Parameter first: the first of these sockets' place in the last wait; the others follow.
    func hearReplies(_ writer: inout StatsWriter, _ readiness: Readiness, from first: Int, limit: Int, now: UInt64) {
        for index in sockets.senders.indices where readiness.isReadable(first + index) {
            _ = empty(sockets.senders[index].socket, limit: limit, now: now) { place in
                takeReply(place, from: bh_address_t(ipv4: inbox.sender(place)), at: index, &writer, now: now)
            }
        }
    }

    /// The datagram at the inbox's place.
    private func takeReply(_ place: Int, from sender: bh_address_t, at index: Int, _ writer: inout StatsWriter, now: UInt64) {
        writer.count(BH_COUNT_RECEIVED)
        guard isAccepted(sender) else { return drop(BH_COUNT_NOT_ACCEPTED, from: sender, writer, now: now) }
        guard inbox.length(place) <= announcementLimit else { return drop(BH_COUNT_OVERSIZED, from: sender, writer, now: now) }
        let datagram = inbox.bytes(place)
        if let challenge = Challenge(datagram) {
            guard answers.allows(challenge.nonce.high, sender, now: now) else { return writer.count(BH_COUNT_UNCHALLENGED) }
            guard SignedParts(datagram) != nil else { return drop(BH_COUNT_UNSIGNED, from: sender, writer, now: now) }
            if let wrong = forgery(datagram, from: sender, now: now) { return drop(wrong, from: sender, writer, now: now) }
            return answer(challenge, to: sender, port: inbox.port(place), at: index, writer, now: now)
        }
        switch decodeAnnouncement(datagram) {
        case .dropped(let counter): drop(counter, from: sender, writer, now: now)
        case .announcement(let facts): takeAnswer(datagram, facts, from: sender, port: inbox.port(place), &writer, now: now)
        }
    }

    private func takeAnswer(
        _ datagram: UnsafeRawBufferPointer, _ facts: bh_facts_t, from sender: bh_address_t, port: UInt16, _ writer: inout StatsWriter, now: UInt64
    ) {
        guard SignedParts(datagram) != nil else { return drop(BH_COUNT_UNSIGNED, from: sender, writer, now: now) }
        if let wrong = forgery(datagram, from: sender, now: now) ?? steering(facts, from: sender, isSigned: true) { return drop(wrong, from: sender, writer, now: now) }
        guard let signer, let mint, let nonce = answeredNonce(datagram),
            mint.isFresh(nonce, for: facts.boot_id, at: sender, port: port, now: now, signer)
        else { return drop(BH_COUNT_BAD_ANSWER, from: sender, writer, now: now) }
        enter(facts, .answered, from: sender, &writer, now: now)
    }

    /// Repeats the nonce in what we announced last, if we are meant.
    private func answer(
        _ challenge: Challenge, to sender: bh_address_t, port: UInt16, at index: Int, _ writer: StatsWriter, now: UInt64
    ) {
        guard announcer.announced.indices.contains(index), challenge.bootID == announcer.announced[index].boot_id, let target = sender.ipv4,
            let signer
        else { return }
        guard answers.take(challenge.nonce.high, sender, now: now) else { return writer.count(BH_COUNT_UNCHALLENGED) }
        var facts = announcer.announced[index]
        facts.sent_ms = monotonicMilliseconds()
        facts.changed_wall = wallSeconds()
        let length = encodeAnnouncement(facts, answering: challenge.nonce, signed: true, into: reply)
        guard signer.sign(reply, length), send(length, to: target, port: port, with: sockets.senders[index].socket) else { return }
        writer.count(BH_COUNT_ANSWERED)
    }

    /// The reply is lost like any datagram: the next announcement is challenged again.
    private func send(_ length: Int, to target: UInt32, port: UInt16, with socket: UDPSocket) -> Bool {
        do throws(SystemError) {
            try socket.send(UnsafeRawBufferPointer(rebasing: reply[..<length]), to: target, port: port)
            return true
        } catch {
            return false
        }
    }

    /// The socket that announces from the address by which packets leave for the target; any other if there is none.
    private func socket(towards target: UInt32) -> UDPSocket? {
        guard sockets.senders.count > 1 else { return sockets.senders.first?.socket }
        let local: UInt32?
        do throws(SystemError) {
            local = try localAddress(towards: target)
        } catch {
            local = nil
        }
        return (sockets.senders.first { $0.route.local == local } ?? sockets.senders.first)?.socket
    }
}
