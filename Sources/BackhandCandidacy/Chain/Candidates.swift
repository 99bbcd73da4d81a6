// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import CBackhand

/// The servers that a request may still go to, while a chain runs: what a candidacy function works on.
///
/// Lives in the caller's workspace. A list never holds a server twice and never one without a row, so it cannot outgrow
/// its capacity.
struct Candidates {
    let segment: UnsafePointer<bh_segment_t>
    /// CLOCK_MONOTONIC of the request, milliseconds.
    let now: UInt64
    /// The time to which ages count: the moderator's last round, if that was too long ago.
    let ageClock: UInt64
    let seed: UInt64
    /// Slot of the chain that runs: whose times count.
    let slot: UInt32
    /// The server that "here" is: row 0, or that of the request's virtual host.
    let ownID: Int32
    /// Where candidates must be; empty: anywhere.
    let accepted: UnsafeBufferPointer<bh_network_t>
    /// The only servers there are for the request; empty: all that announce themselves.
    let members: UnsafeBufferPointer<bh_member_t>
    /// Servers that have failed the request already: a few.
    let tried: UnsafeBufferPointer<UInt32>
    /// What only bySession needs more of the request.
    let request: UnsafePointer<bh_request_t>
    /// Entries that fit into the list.
    let capacity: Int
    /// Room for one packed key a candidate.
    let keys: UnsafeMutablePointer<UInt64>
    /// Milliseconds until a server that has come gets its whole share; 0: at once.
    let slowStart: UInt64
    /// Whether some candidates may be held back.
    var hasNewcomers = false
    /// Whether one of them has ever announced anything. Otherwise nothing is known but what this httpd sees.
    var hasAnnounced = true
    /// Whether members are to get different shares.
    var areWeighted = false
    /// Whether this server may be among them.
    var mayHaveSelf = false
    /// Whether some candidates are in doubt.
    var hasDoubtful = false
    /// Servers among which the chain is free to choose.
    var choices = 0
    /// Whether the request may be sent to a second server.
    let repeatable: Bool
    /// Whether servers that take requests only if there is no other server may get them now.
    var isLastResort = false
    /// Whether `default` has dropped servers that are silent.
    var hasSilent = false
    /// Servers that were left out because they refused a connection.
    var refusing = 0
    /// Index of the step that is running.
    var step = 0
    /// The first count entries are the candidates, best first. Functions that reorder may swap it with the spare one.
    var list: UnsafeMutablePointer<ServerSlot>
    var spare: UnsafeMutablePointer<ServerSlot>
    var count = 0

    @inline(__always)
    init(_ segment: UnsafePointer<bh_segment_t>, _ request: UnsafePointer<bh_request_t>, _ workspace: Workspace) {
        self.request = request
        let request = request.pointee
        self.segment = segment
        now = request.now_ms
        ageClock = bh_segment_age_clock(segment, request.now_ms)
        slowStart = UInt64(request.slow_start_ms)
        seed = request.seed
        repeatable = request.repeatable
        slot = bh_chain_slot(request.chain)
        // A member is asked as any other, also if it is this httpd.
        ownID =
            request.members != nil
            ? -1 : request.self_id < bh_segment_rows(segment) ? Int32(truncatingIfNeeded: request.self_id) : 0
        accepted = UnsafeBufferPointer(
            start: request.accepted, count: request.accepted == nil ? 0 : request.accepted_count)
        members = UnsafeBufferPointer(
            start: request.members, count: request.members == nil ? 0 : Int(request.member_count))
        tried = UnsafeBufferPointer(start: request.tried, count: request.tried == nil ? 0 : Int(request.tried_count))
        capacity = workspace.capacity
        keys = workspace.keys
        list = workspace.list
        spare = workspace.spare
    }

    /// Where this httpd counts what it has at the server. Our own rows share one: what is served here is served by all
    /// of them.
    func feedback(of slot: ServerSlot) -> UnsafeMutablePointer<bh_row_t> {
        UnsafeMutablePointer(mutating: bh_segment_row(segment, slot.id == ownID ? 0 : slot.row))
    }

    /// Whether this server is among them. Before anything is sorted it is the first, or nearly.
    var hasSelf: Bool { place(of: ownID) != nil }

    func place(of id: Int32) -> Int? {
        for place in 0..<count where list[place].id == id { return place }
        return nil
    }

    /// Whatever a function says, some come after the others.
    mutating func arrange() {
        if hasNewcomers { holdBackNewcomers() }
        if hasDoubtful { askLast() }
    }

    /// Puts the candidates for which the test is true after the others. The order is kept otherwise.
    ///
    /// Always inlined, so that the test costs no call for each candidate.
    @inline(__always)
    func putLast(_ isLast: (ServerSlot) -> Bool) {
        let (list, spare, count) = (list, spare, count)
        var kept = 0
        var last = 0
        for place in 0..<count {
            let slot = list[place]
            if isLast(slot) {
                spare[last] = slot
                last &+= 1
            } else {
                list[kept] = slot
                kept &+= 1
            }
        }
        for place in 0..<last { list[kept &+ place] = spare[place] }
    }

    /// Puts a candidate first. The order of the others stays, but for places that no request comes to.
    mutating func bringForward(_ place: Int) {
        let slot = list[place]
        var to = min(place, bestPlaces &- 1)
        list[place] = list[to]
        while to > 0 {
            list[to] = list[to &- 1]
            to &-= 1
        }
        list[0] = slot
    }

    /// Adds a server at the end, to be proxied to. The caller knows that it is not there yet.
    mutating func append(_ id: Int32) {
        guard count < capacity else { return }
        list[count] = ServerSlot(id: id, mode: CChar(BACKHAND_MODE_PROXY), hostheader: nil)
        count &+= 1
    }

    /// Whether the request may be sent to the row's server: not if that has failed it, if an administrator or its state
    /// says that it gets none, if it is ourselves under another address, nor outside of the networks that the request's
    /// virtual host accepts. What the configuration names may be anywhere.
    func admits(_ row: UnsafePointer<bh_row_t>, _ id: Int32) -> Bool {
        if bh_row_closed(row) { return false }
        for other in tried where other == UInt32(bitPattern: id) { return false }
        if id == ownID { return true }
        if !members.isEmpty { return isMember(id) }
        if bh_row_own(row) { return false }
        if accepted.isEmpty { return true }
        var address = bh_address_t()
        guard bh_row_address(row, &address) else { return false }
        for network in accepted where network.contains(address) { return true }
        return false
    }

    /// Whether the configuration names it for the request.
    private func isMember(_ id: Int32) -> Bool {
        for member in members where member.row == UInt32(bitPattern: id) { return true }
        return false
    }

    /// Lets the client be sent to each of the candidates, by a name that the format makes; nil: by its address.
    func redirect(_ format: UnsafePointer<CChar>?) {
        for place in 0..<count {
            list[place].mode = CChar(BACKHAND_MODE_REDIRECT)
            list[place].hostheader = UnsafeMutablePointer(mutating: format)
        }
    }

    /// What is the same for all rounds.
    mutating func lookAtMembers() {
        guard !members.isEmpty else { return }
        hasAnnounced = false
        // Without a moderator none is heard.
        if bh_segment_is_alone(segment) { return }
        for member in members where member.row < bh_segment_rows(segment) {
            guard bh_row_last_heard(bh_segment_row(segment, member.row)) != 0 else { continue }
            hasAnnounced = true
            break
        }
    }

    /// What the member is to get, compared with the others.
    func weight(of slot: ServerSlot) -> Double {
        for member in members where member.row == slot.row { return Double(max(1, member.weight)) / 100 }
        return 1
    }

    /// Whether the server was heard at that time or later. A member that never announces anything has no age.
    func isHeard(_ row: UnsafePointer<bh_row_t>, since oldest: UInt64) -> Bool {
        // Most are. Otherwise never is the latest.
        bh_row_heard(row) >= oldest || bh_row_last_heard(row) &- 1 >= oldest &- 1
    }

    /// Whether nothing is known of what one of them would announce, as far as the function compares that: a machine is
    /// known by another server there, but not its workers; byLoad and byCPU know what is pushed, too.
    mutating func lackAnnouncements(_ function: Int32) -> Bool {
        for place in 0..<count where bh_row_heard(bh_segment_row(segment, list[place].row)) == 0 {
            let id = list[place].row
            let isLent = function != CandidacyFunction.comparesWorkers && bh_segment_lender(segment, id) != 0
            let isPushed =
                CandidacyFunction.comparesPushed(function)
                && bh_state_tells(segment, id, function != CandidacyFunction.comparesLoad, now)
            if !isLent && !isPushed { return true }
        }
        return false
    }

    /// Removes the candidates for which the test is false. The others keep their order.
    mutating func keep(_ test: (ServerSlot, UnsafePointer<bh_segment_t>) -> Bool) {
        let list = list
        var kept = 0
        for place in 0..<count {
            let slot = list[place]
            guard test(slot, segment) else { continue }
            if kept != place { list[kept] = slot }
            kept &+= 1
        }
        count = kept
    }
}

extension ServerSlot {
    /// The id as an index of rows. Ids in a list are below BH_ROWS.
    var row: UInt32 { UInt32(bitPattern: id) }
}
