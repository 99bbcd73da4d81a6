// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Which servers a run of the chain begins with. Each admits more than the one before.
private enum Reach {
    /// Servers that take requests, and are not known to fail.
    case sound
    /// Also those that may fail a request that is not repeatable. Only for such requests is there a difference.
    case doubtful
    /// The last resort: also those in back-off, and those that take requests only if there is no other server.
    case everybody
}

/// One decision under way.
struct ChainRun {
    var candidates: Candidates
    /// Whether a server was left out that a wider reach admits.
    private var leftOut = false
    private var reach = Reach.sound
    /// Whether the request may be sent to a second server.
    private let repeatable: Bool
    /// Whether the request may be served here: no step has dropped this server as wrong for it. One that was dropped
    /// because others seemed better may come back, unless a later step might have dropped it.
    private var mayStay = false
    /// removeSelf has said that it is not to be served here; addSelf after it makes this server one candidate like the
    /// others.
    private var isRemoved = false
    private var fault: LoadedFault?
    private let counts: UnsafeMutablePointer<UInt16>
    private let context: UnsafeMutableRawPointer?

    init(_ segment: UnsafePointer<bh_segment_t>, _ request: UnsafePointer<bh_request_t>, _ workspace: Workspace) {
        candidates = Candidates(segment, request, workspace)
        counts = workspace.counts
        context = request.pointee.context
        repeatable = request.pointee.repeatable
    }

    /// Whether the chain should run again: no server is left, and there are more to begin with.
    mutating func widen() -> Bool {
        let isMore = leftOut || (candidates.hasSilent && !candidates.members.isEmpty)
        guard candidates.count == 0, isMore, reach != .everybody else { return false }
        reach = !repeatable && reach == .sound ? .doubtful : .everybody
        return true
    }

    /// Starts from the servers within reach, in the order of their rows; from members, in that of the configuration.
    mutating func gather() {
        candidates.isLastResort = reach == .everybody
        candidates.refusing = 0
        var found = Found(candidates)
        if candidates.members.isEmpty { gatherRows(&found) } else { gatherMembers(&found) }
        candidates.hasNewcomers = found.hasNewcomers
        candidates.hasDoubtful = found.doubted & bh_doubt_bits(candidates.slot) != 0
        begin(found.count)
    }

    private mutating func gatherRows(_ found: inout Found) {
        let own = Int(candidates.ownID)
        // What stands against this server itself stands in row 0.
        let here = bh_segment_row(candidates.segment, 0)
        let isFree = isFree
        for id in 0..<min(candidates.capacity, Int(bh_segment_rows(candidates.segment))) {
            let row = here + id
            if bh_row_heard(row) == 0 || !(isFree && bh_row_is_plain(row) || isWithinReach(row, id)) { continue }
            found.add(id, row, feedback: id == own ? here : row)
        }
    }

    private mutating func gatherMembers(_ found: inout Found) {
        let here = bh_segment_row(candidates.segment, 0)
        let used = bh_segment_rows(candidates.segment)
        let isFree = isFree
        let first = candidates.members.first?.weight
        for member in candidates.members.prefix(candidates.capacity) where member.row < used {
            let id = Int(member.row)
            let row = here + id
            if member.weight != first { candidates.areWeighted = true }
            if !(isFree && bh_row_is_plain(row) || isWithinReach(row, id)) { continue }
            found.add(id, row, feedback: row)
        }
    }

    /// Whether the request may be sent to each server against whose row there is nothing.
    private var isFree: Bool { candidates.tried.isEmpty && candidates.accepted.isEmpty }

    /// Whether the request may be sent to the row's server, as far as it goes now.
    @inline(never)
    private mutating func isWithinReach(_ row: UnsafePointer<bh_row_t>, _ id: Int) -> Bool {
        let id = Int32(truncatingIfNeeded: id)
        guard candidates.admits(row, id) else { return false }
        if reach == .everybody { return true }
        let isOther = id != candidates.ownID
        if isOther, bh_row_is_refusing(row, candidates.now) { candidates.refusing &+= 1 }
        if !(isOther && isAvoided(row, candidates.now, avoidsDoubtful)), candidates.takesRequests(row) { return true }
        leftOut = true
        return false
    }

    /// Starts with this number of servers in the list.
    private mutating func begin(_ count: Int) {
        candidates.count = count
        candidates.choices = count
        // In the order of their rows: this server is found soon, or not there.
        var place = 0
        while place < count, candidates.list[place].id < candidates.ownID { place &+= 1 }
        mayStay = place < count && candidates.list[place].id == candidates.ownID
        candidates.mayHaveSelf = mayStay
        isRemoved = false
    }

    /// Whether the request, which is not repeatable, stays away from servers that may fail it.
    private var avoidsDoubtful: Bool { !repeatable && reach == .sound }

    /// Runs all steps, also over an empty list: a later one may add servers.
    mutating func apply(_ steps: UnsafeBufferPointer<bh_step_t>) {
        counts[0] = UInt16(truncatingIfNeeded: candidates.count)
        candidates.arrange()
        for index in 0..<steps.count {
            candidates.step = index
            let before = candidates.count
            if steps[index].function == BH_FUNCTION_LOADED {
                callLoaded(steps[index])
            } else if !isWithoutFacts(steps[index].function) {
                let argument = StepArgument(
                    number: steps[index].number, text: steps[index].argument,
                    program: steps.baseAddress.map { bh_step_program($0 + index) })
                CandidacyFunction.work(of: steps[index].function)?(&candidates, argument)
            }
            candidates.arrange()
            noteChoices(steps[index].function, before)
            noteSelf(steps[index].function)
            counts[index &+ 1] = UInt16(truncatingIfNeeded: candidates.count)
        }
    }

    /// Whether it compares what servers announce, and one of the members has announced nothing.
    private mutating func isWithoutFacts(_ function: Int32) -> Bool {
        !candidates.members.isEmpty && CandidacyFunction.compares(function) && candidates.lackAnnouncements(function)
    }

    /// Whatever the chain says, a request is not sent to wait for a worker: once, after all steps.
    mutating func mindWorkers(_ request: UnsafePointer<bh_request_t>) {
        guard mayStay, !candidates.isLastResort, let idleWorkers = request.pointee.idle_workers, !isProbe else {
            return
        }
        if request.pointee.sends_free, candidates.relieve(idleWorkers, isScarce: request.pointee.is_scarce) { return }
        candidates.keepFromWaiting(idleWorkers)
    }

    /// What a step drops is not a choice any more, unless it dropped it because others seemed better.
    private mutating func noteChoices(_ function: Int32, _ before: Int) {
        let count = candidates.count
        if count > before {
            candidates.choices &+= count &- before
        } else if count < candidates.choices, !CandidacyFunction.chooses(function) {
            candidates.choices = count
        }
    }

    /// removeSelf, or a function that drops what is wrong for the request, may take this server away; addSelf then
    /// makes it one candidate like the others. What a loaded function says is said on purpose, the order too.
    private mutating func noteSelf(_ function: Int32) {
        let isAgainst =
            function == CandidacyFunction.removesSelf || function == BH_FUNCTION_LOADED
            || (mayStay && CandidacyFunction.drops(function) && !candidates.hasSelf)
        if isAgainst { (mayStay, isRemoved) = (false, true) }
        // It does not add a server that is draining.
        if function == CandidacyFunction.addsSelf, !isRemoved { mayStay = candidates.hasSelf }
        if function == CandidacyFunction.addsSelf || function == BH_FUNCTION_LOADED { candidates.mayHaveSelf = true }
        if function == CandidacyFunction.removesSelf { candidates.mayHaveSelf = false }
    }

    /// What a loaded function adds counts as ours: servers in back-off, tried already, or not for this request are
    /// taken out again.
    private mutating func callLoaded(_ step: bh_step_t) {
        guard let call = step.call, !isBroken(step) else { return }
        if let fault = candidates.callLoaded(call, context, step.argument) {
            note(fault, step)
            return
        }
        let now = candidates.now
        let given = candidates
        candidates.keep { slot, segment in given.admits(bh_segment_row(segment, slot.row), slot.id) }
        guard reach != .everybody else { return }
        let count = candidates.count
        let own = candidates.ownID
        let avoidsDoubtful = avoidsDoubtful
        candidates.keep { slot, segment in
            let row = bh_segment_row(segment, slot.row)
            return (slot.id == own || !isAvoided(row, now, avoidsDoubtful)) && given.takesRequests(row)
        }
        leftOut = leftOut || candidates.count < count
    }

    /// Damaged memory is told before anything else, once: the function is not called again.
    private mutating func note(_ fault: bh_fault_t, _ step: bh_step_t) {
        if fault == BH_FAULT_CANARY, let broken = step.broken, !bh_step_break(broken) { return }
        guard self.fault?.fault != BH_FAULT_CANARY else { return }
        self.fault = LoadedFault(fault: fault, step: candidates.step)
    }

    /// The result, as the border hands it out.
    var decision: bh_decision_t {
        bh_decision_t(
            servers: UnsafePointer(candidates.list), counts: UnsafePointer(counts),
            count: UInt32(truncatingIfNeeded: candidates.count),
            last_resort: reach == .everybody && candidates.count > 0,
            fault: Int32(bitPattern: (fault?.fault ?? BH_FAULT_NONE).rawValue),
            fault_step: UInt32(truncatingIfNeeded: fault?.step ?? 0), decided_ms: candidates.now,
            choices: UInt32(truncatingIfNeeded: candidates.choices), probe: isProbe,
            repeatable: repeatable)
    }

    /// Whether the first one is asked only to see whether it works again.
    private var isProbe: Bool {
        candidates.count > 0 && candidates.choices > 1 && candidates.isProbe(candidates.list[0])
    }
}

/// What is gathered.
private struct Found {
    private let list: UnsafeMutablePointer<ServerSlot>
    private let newcomersSince: UInt64
    var count = 0
    /// What stands against any of them.
    var doubted = UInt32(0)
    var hasNewcomers = false

    init(_ candidates: Candidates) {
        list = candidates.list
        newcomersSince = candidates.newcomersSince
    }

    /// Adds the row's server. feedback: the row that has what is counted for it.
    @inline(__always)
    mutating func add(_ id: Int, _ row: UnsafePointer<bh_row_t>, feedback: UnsafePointer<bh_row_t>) {
        list[count] = ServerSlot(id: Int32(truncatingIfNeeded: id), mode: CChar(BACKHAND_MODE_PROXY), hostheader: nil)
        count &+= 1
        doubted |= bh_row_all_doubts(feedback)
        if bh_row_came(row) > newcomersSince { hasNewcomers = true }
    }
}

/// A loaded function that went wrong, and where it stands in the chain.
private struct LoadedFault {
    let fault: bh_fault_t
    let step: Int
}

/// Whether a request leaves the server out because of what it did to others; avoidsDoubtful: also if it is in doubt.
private func isAvoided(_ row: UnsafePointer<bh_row_t>, _ now: UInt64, _ avoidsDoubtful: Bool) -> Bool {
    bh_row_is_refusing(row, now) || (avoidsDoubtful && bh_row_is_doubtful(row, now))
}

/// Whether the step's function has damaged memory since the last restart.
private func isBroken(_ step: bh_step_t) -> Bool {
    guard let broken = step.broken else { return false }
    return bh_half_load(broken) != 0
}
