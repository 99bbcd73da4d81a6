// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// What became of an announcement.
public enum Heard: Equatable {
    /// It was written to this row.
    case row(UInt32)
    /// It is our own, heard back.
    case own
    /// Its sequence is not above the last one of the same server: duplicated, reordered, or by another network.
    case repeated
    /// A new server, and no row left.
    case tableFull
    /// Another moderator owns the segment now; nothing was written.
    case notOwner
}

/// How long a server keeps its first address while only another of its addresses is heard: two announcements may get
/// lost, and one that has moved is found at its new address by the third.
private let endpointPatience = UInt64(2500)

/// How long a server's own numbers must have been refused before any number is taken: three announcements.
private let sequencePatience = UInt64(3000)

/// An announcement this many numbers before the last one may just have taken a longer way.
private let recentSequences = UInt64(3)

/// How long a row must have been silent before another server may get it: far longer than any byAge, so that no list of
/// candidates still holds the row for its old server.
let rowPatience = UInt64(60_000)

/// What an announcement proves, where it could.
public enum Proof: Sendable {
    /// It is not signed.
    case none
    /// It is signed by one of our keys.
    case signed
    /// It repeats the nonce of a challenge of ours too.
    case answered
}

/// The moderator's side of the table: the only writer of rows.
///
/// All times are CLOCK_MONOTONIC milliseconds, wall is wall clock seconds; both come from the caller. Before each
/// write it looks whether the segment is still its own.
public struct StatsWriter {
    private let segment: UnsafeMutablePointer<bh_segment_t>
    private let epoch: UInt32
    /// Whether announcements are signed: then only a server that has answered a challenge gets a row.
    private let keyed: Bool
    /// Whether they may be signed: then the table notes which servers have answered a challenge, for the time when all
    /// must.
    private let optional: Bool
    private var index: RowIndex
    /// Boot ids under which we announce ourselves, beside the segment's; and those of before the last change of our
    /// addresses, which may be on their way to us still.
    private var otherBoots: [UInt64]
    private var formerBoots: [UInt64] = []
    private var otherEndpoints: [Endpoint]
    private var addresses: KnownAddresses
    /// Whether an address is in the table of addresses that does not belong to a server any more.
    private var hasStaleAddress = true
    /// Since when announcements have been heard without a break: silence counts from then.
    public var listening: UInt64 = 0
    private var window = FeedbackWindow()
    private var evidence = EvidenceWindow()
    private var borrowers: Borrowers
    /// Of the announcement that is being placed.
    private var proof = Proof.none

    /// Takes over the rows that a previous moderator left. epoch: what bh_segment_own returned.
    ///
    /// - Parameters:
    ///   - others: what we announce ourselves as beside row 0: address, port and boot id count. Other rows of our own
    ///     are given up.
    ///   - keyed: whether announcements are signed. Rows of a time without a key are then not candidates, until
    ///     their servers have answered a challenge.
    public init(
        segment: UnsafeMutablePointer<bh_segment_t>, epoch: UInt32, others: [bh_facts_t] = [], keyed: Bool = false,
        optional: Bool = false
    ) {
        self.segment = segment
        self.epoch = epoch
        self.keyed = keyed
        self.optional = optional
        otherBoots = others.map { $0.boot_id }
        otherEndpoints = others.map { Endpoint($0) }
        index = RowIndex(segment)
        addresses = KnownAddresses(segment, rows: index.used)
        borrowers = Borrowers(segment)
        guard bh_segment_owned(segment, epoch) else { return }
        defer { refreshAddresses() }
        for id in ownRows(except: otherEndpoints) { giveUp(id) }
        if keyed { hideUnproven() }
        borrowers.begin(index)
    }

    private mutating func hideUnproven() {
        for id in 1..<index.used where index[id].endpoint != nil && !index[id].isProven {
            guard !bh_row_own(bh_segment_row(segment, id)) else { continue }
            hide(id)
            index.forgetBoot(id)
        }
    }

    @inline(never)
    private func hide(_ id: UInt32) {
        hideRow(segment, id)
        borrowers.forget(id)
    }

    /// From now on we announce ourselves as these beside row 0: our addresses have changed. Other rows of our own are
    /// given up.
    public mutating func become(_ others: [bh_facts_t], now: UInt64) {
        let (boots, endpoints) = (others.map { $0.boot_id }, others.map { Endpoint($0) })
        guard boots != otherBoots || endpoints != otherEndpoints, bh_segment_owned(segment, epoch) else { return }
        if boots != otherBoots { formerBoots = otherBoots }
        (otherBoots, otherEndpoints) = (boots, endpoints)
        for id in ownRows(except: endpoints) {
            giveUp(id)
            index.retire(id, since: now)
        }
    }

    private func ownRows(except endpoints: [Endpoint]) -> [UInt32] {
        (1..<index.used).filter { id in
            bh_row_own(bh_segment_row(segment, id)) && !endpoints.contains { $0 == index[id].endpoint }
        }
    }

    private func giveUp(_ id: UInt32) {
        hide(id)
        markRow(segment, id, own: false)
    }

    /// We are announced at this address and port from now on, which may have been another server's before: its row
    /// would send our requests to us.
    public mutating func claim(_ address: bh_address_t, port: UInt16, now: UInt64) {
        guard let id = index.row(of: Endpoint(address: address, port: port)), bh_segment_owned(segment, epoch),
            !bh_row_own(bh_segment_row(segment, id))
        else { return }
        hide(id)
        addresses.forget(id)
        hasStaleAddress = true
        index.retire(id, since: now)
    }

    /// Whether a signed announcement may be a recording, so that its server has to answer a challenge first: its boot
    /// id is not known, or it comes so late that it may have been kept back, or it would be accepted in spite of its
    /// number.
    public func needsProof(_ facts: bh_facts_t, now: UInt64) -> Bool {
        guard keyed, !isOwn(bootID: facts.boot_id) else { return false }
        guard let id = index.row(ofBoot: facts.boot_id), index[id].isProven else { return true }
        let known = index[id]
        if facts.sequence <= known.sequence, isSilent(id, now) { return true }
        // Older ones are refused without a question.
        return facts.sequence &+ recentSequences >= known.sequence
            && known.clock.lateness(of: facts.sent_ms, now: now) >= keptBackLimit
    }

    /// Whether its server is accepted without, but is to be challenged for the time when all must sign.
    public func wantsProof(_ facts: bh_facts_t) -> Bool {
        guard optional, !isOwn(bootID: facts.boot_id) else { return false }
        return index.row(ofBoot: facts.boot_id).map { !index[$0].isProven } ?? true
    }

    /// Whether it would change nothing, even if it is what it says: its number is far before the last one of a server
    /// that was heard a moment ago.
    public func isOld(_ facts: bh_facts_t, now: UInt64) -> Bool {
        guard let id = index.row(ofBoot: facts.boot_id), index[id].isProven else { return false }
        return facts.sequence < index[id].sequence && index[id].sequence - facts.sequence > recentSequences
            && !isSilent(id, now)
    }

    /// Whether its httpd was started, or came, since the table was last written.
    public func isStranger(bootID: UInt64) -> Bool { !isOwn(bootID: bootID) && index.row(ofBoot: bootID) == nil }

    /// Whether the table knows neither the address and port nor the boot id.
    public func isNew(_ facts: bh_facts_t) -> Bool {
        !isOwn(bootID: facts.boot_id) && index.row(of: Endpoint(facts)) == nil
            && index.row(ofBoot: facts.boot_id) == nil
    }

    /// Empties the rows of servers that were silent for this many milliseconds and have nothing of ours in flight.
    public mutating func expire(after silence: UInt64, now: UInt64) {
        guard now >= silence, bh_segment_owned(segment, epoch) else { return }
        for id in index.silent(since: now - silence)
        where requestsInFlight(segment, id) == 0 && !bh_row_own(bh_segment_row(segment, id)) {
            leave(id, since: index[id].heard)
            if !index.isMember(id) { empty(id) }
            count(BH_COUNT_EXPIRED)
        }
        if addresses.expire(since: now - silence) { hasStaleAddress = true }
        refreshAddresses()
    }

    /// The row's server is not heard there any more. Decisions among members know how long it has been silent.
    @inline(never)
    private mutating func leave(_ id: UInt32, since: UInt64) {
        let row = bh_segment_row_mutable(segment, id)
        let heard = bh_row_heard(row)
        hide(id)
        bh_word_store(&row.pointee.first_heard_ms, heard)
        hasStaleAddress = true
        index.retire(id, since: since)
    }

    private mutating func empty(_ id: UInt32) {
        emptyRow(segment, id)
        window.forget(id)
        evidence.forget(id)
        addresses.forget(id)
        hasStaleAddress = true
    }

    private mutating func refreshAddresses() {
        guard hasStaleAddress else { return }
        addresses.rebuild()
        hasStaleAddress = false
    }

    /// Rows that are or were in use, with row 0, by the moderator's own memory: what the segment says of it is the
    /// children's user's word.
    public var rows: UInt32 { index.used }

    /// Counts an event.
    public func count(_ counter: bh_counter_t) {
        bh_counter_add(segment, counter.rawValue)
    }

    /// Writes an announcement that arrived to its server's row, and counts what became of it.
    ///
    /// With a key, only what ``needsProof(_:now:)`` does not doubt, or what has answered a challenge.
    ///
    /// - Parameter sender: the address that it came from; nil: not known.
    public mutating func hear(
        _ facts: bh_facts_t, from sender: bh_address_t? = nil, proof: Proof = .signed, now: UInt64, wall: Int64
    ) -> Heard {
        guard bh_segment_owned(segment, epoch) else { return .notOwner }
        self.proof = proof
        let heard = place(facts, now: now, wall: wall)
        switch heard {
        case .row(let id):
            count(BH_COUNT_ACCEPTED)
            note(facts.address, ofRow: id, now: now)
            if let sender { note(sender, ofRow: id, now: now) }
        case .own: count(BH_COUNT_OWN)
        case .repeated: count(BH_COUNT_REPEATED)
        case .tableFull: count(BH_COUNT_TABLE_FULL)
        case .notOwner: break
        }
        refreshAddresses()
        return heard
    }

    /// The row's server announces an address, or announces from it.
    private mutating func note(_ address: bh_address_t, ofRow id: UInt32, now: UInt64) {
        guard let own = index[id].endpoint?.address else { return }
        addresses.note(id, address, own: own, now: now)
    }

    /// Writes what we ourselves announce to row 0. also: what other lines announce as the same server.
    public mutating func writeSelf(_ facts: bh_facts_t, also: [bh_address_t] = [], now: UInt64, wall: Int64) {
        guard bh_segment_owned(segment, epoch) else { return }
        markRow(segment, 0, own: true)
        var former = bh_address_t()
        let row = bh_segment_row(segment, 0)
        if bh_row_heard(row) != 0, bh_row_address(row, &former), former != facts.address { hasStaleAddress = true }
        fill(0, facts, now: now, wall: wall)
        noteOwn(facts, also, in: 0, now: now)
        refreshAddresses()
    }

    private mutating func noteOwn(_ facts: bh_facts_t, _ also: [bh_address_t], in id: UInt32, now: UInt64) {
        addresses.add(facts.address)
        for address in also { addresses.note(id, address, own: facts.address, now: now) }
    }

    /// Writes what we announce under another address to a row of its own. Without a row left, row 0 stands for it.
    public mutating func writeOther(_ facts: bh_facts_t, also: [bh_address_t] = [], now: UInt64, wall: Int64) {
        guard bh_segment_owned(segment, epoch),
            let id = index.row(of: Endpoint(facts)) ?? newRow(now: now)
        else { return }
        if !bh_row_own(bh_segment_row(segment, id)) {
            forgetRefusals(segment, id)
            markRow(segment, id, own: true)
        }
        _ = write(facts, to: id, now: now, wall: wall)
        noteOwn(facts, also, in: id, now: now)
        refreshAddresses()
    }

    /// Whether an announcement with this boot id is ours.
    public func isOwn(bootID: UInt64) -> Bool {
        bootID == segment.pointee.boot_id || otherBoots.contains(bootID) || formerBoots.contains(bootID)
    }

    /// What this httpd itself did in the last window, and how many requests it has sent on so far.
    public var ownWindow: OwnWindow { window.own }
    /// Requests that this httpd has sent on to other servers so far.
    public var dispatched: UInt64 { window.dispatched }

    /// Closes the window of the children's feedback, and copies numbacked and tatime to the public rows.
    public mutating func publishFeedback(nowMicroseconds: UInt64) {
        guard bh_segment_owned(segment, epoch) else { return }
        window.close(segment, rows: index.used, nowMicroseconds: nowMicroseconds)
        evidence.close(segment, rows: index.used, nowMicroseconds: nowMicroseconds)
        // What was written over it would hide servers from decisions.
        if ![0, index.used].contains(bh_half_load(&segment.pointee.rows)) {
            bh_half_store(&segment.pointee.rows, index.used)
        }
        for id in 0..<index.used where bh_row_heard(bh_segment_row(segment, id)) != 0 {
            publishRowFeedback(segment, id)
        }
    }

    /// Finds the row, or makes one.
    private mutating func place(_ facts: bh_facts_t, now: UInt64, wall: Int64) -> Heard {
        if isOwn(bootID: facts.boot_id) { return .own }
        let endpoint = Endpoint(facts)
        let sameEndpoint = index.row(of: endpoint)
        guard let sameBoot = index.row(ofBoot: facts.boot_id) else {
            guard let id = sameEndpoint ?? newRow(now: now) else { return .tableFull }
            return write(facts, to: id, now: now, wall: wall)
        }
        let known = index[sameBoot]
        let isPatient = now < known.endpointHeard &+ endpointPatience
        if let sameEndpoint, sameEndpoint != sameBoot, facts.sequence &+ recentSequences >= known.sequence,
            !(isPatient && known.isMember && index.isMember(sameEndpoint))
        {
            // The httpd of that row has ended; its successor was heard by another network first. But of two members
            // that are one server neither has come later.
            return move(facts, from: sameBoot, to: sameEndpoint, now: now, wall: wall)
        }
        if facts.sequence <= known.sequence, !isSilent(sameBoot, now), !isFirstProof(facts, sameBoot) {
            // The same announcement by this network, just later than by another: the address still works.
            if known.sequence - facts.sequence <= recentSequences {
                if known.endpoint == endpoint { index.hearEndpoint(sameBoot, now: now) }
                note(facts.address, ofRow: sameBoot, now: now)
            }
            return .repeated
        }
        if known.endpoint == endpoint { return write(facts, to: sameBoot, now: now, wall: wall) }
        if isPatient { return writeByOtherNetwork(facts, to: sameBoot, now: now, wall: wall) }
        if known.isMember {
            guard let id = sameEndpoint ?? newRow(now: now) else { return .tableFull }
            return move(facts, from: sameBoot, to: id, now: now, wall: wall)
        }
        forgetRefusals(segment, sameBoot)
        return write(facts, to: sameBoot, now: now, wall: wall)
    }

    /// The server is found in another row from now on, and with it its addresses.
    @inline(never)
    private mutating func move(
        _ facts: bh_facts_t, from old: UInt32, to id: UInt32, now: UInt64, wall: Int64
    ) -> Heard {
        let known = index[old]
        leave(old, since: now)
        let heard = write(facts, to: id, clock: known.clock, now: now, wall: wall)
        if let former = known.endpoint?.address {
            addresses.move(from: old, former, to: id, own: facts.address, now: now)
        }
        return heard
    }

    /// Whether it is what was accepted already, where the key is optional, and now with a challenge's nonce.
    private func isFirstProof(_ facts: bh_facts_t, _ id: UInt32) -> Bool {
        optional && proof == .answered && !index[id].isProven && facts.sequence == index[id].sequence
    }

    /// Whether nothing of the server was accepted for a while: then any sequence is, so that one forged number far
    /// ahead does not shut it out for good.
    private func isSilent(_ id: UInt32, _ now: UInt64) -> Bool {
        let heard = index[id].heard
        return heard > now || now - heard >= sequencePatience
    }

    private mutating func write(
        _ facts: bh_facts_t, to id: UInt32, clock: PeerClock? = nil, now: UInt64, wall: Int64
    ) -> Heard {
        if let former = index[id].endpoint?.address, former != facts.address { hasStaleAddress = true }
        index.assign(id, endpoint: Endpoint(facts), facts, clock: clock, now: now)
        addresses.rows = index.used
        index.hearEndpoint(id, now: now)
        noteProof(id)
        fill(id, marked(facts, id), now: now, wall: wall)
        addresses.add(facts.address)
        return .row(id)
    }

    /// With a key nothing else gets so far. Where it is optional, only an answer proves anything, and what is not
    /// signed takes it back.
    private mutating func noteProof(_ id: UInt32) {
        if keyed || (optional && proof == .answered) { index.prove(id) } else if proof == .none { index.unprove(id) }
    }

    /// The facts as they are kept: the next moderator sees which servers have answered a challenge, and by which clock.
    private func marked(_ facts: bh_facts_t, _ id: UInt32) -> bh_facts_t {
        var marked = facts
        marked.proven = (keyed || optional) && index[id].isProven ? 1 : 0
        marked.clock_ms = index[id].clock.ahead
        return marked
    }

    /// The row keeps the address by which the server was known first.
    private mutating func writeByOtherNetwork(
        _ facts: bh_facts_t, to id: UInt32, now: UInt64, wall: Int64
    ) -> Heard {
        guard let endpoint = index[id].endpoint else { return write(facts, to: id, now: now, wall: wall) }
        index.assign(id, endpoint: endpoint, facts, now: now)
        noteProof(id)
        var kept = marked(facts, id)
        kept.address = endpoint.address
        kept.port = endpoint.port
        fill(id, kept, now: now, wall: wall)
        return .row(id)
    }

    @inline(never)
    private func fill(_ id: UInt32, _ facts: bh_facts_t, now: UInt64, wall: Int64) {
        writeRow(segment, id, facts, now: now, wall: wall, listening: listening)
        borrowers.lend(from: id, facts, index, now: now)
    }

    /// A row for a new server: one that has been free for a while, else the next one never used, else the one that has
    /// been silent longest, if it may be reused.
    private mutating func newRow(now: UInt64) -> UInt32? {
        let segment = segment
        let limit = now >= rowPatience ? now - rowPatience : 0
        if let id = index.takeFree(since: limit, idle: { requestsInFlight(segment, $0) == 0 }) {
            empty(id)
            return id
        }
        if index.used < BH_ROWS { return index.used }
        guard limit > 0, let id = index.longestSilent(since: limit, idle: { requestsInFlight(segment, $0) == 0 })
        else { return nil }
        empty(id)
        return id
    }
}
