// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandCandidacy
internal import BackhandServerStats
internal import BackhandTestbed
internal import CBackhand

/// One balancer with a table of its own, written by the code that the moderator and the children run.
final class Node {
    let segment: UnsafeMutablePointer<bh_segment_t>
    private let memory: SegmentMemory
    private var writer: StatsWriter
    private let chain: Chain
    private let workspace: UnsafeMutableRawBufferPointer
    private var seeds: Random
    private var asked: UInt64 = 1
    /// The machine that this balancer runs on, -1 if that serves nothing.
    private let own: Int
    private var rowOf: [UInt32?]
    private(set) var serverOf: [Int] = []
    private var sequence: UInt64 = 0
    /// Requests that it sent to others.
    private(set) var dispatched: UInt64 = 0

    init(servers: Int, own: Int, number: Int, seed: UInt64, chain: Chain) {
        memory = SegmentMemory(bootID: UInt64(1_000_000 + number))
        segment = memory.segment
        writer = StatsWriter(segment: segment, epoch: bh_segment_own(segment, 1))
        self.chain = chain
        self.own = own
        seeds = Random(seed: seed, stream: .choices, index: number)
        rowOf = Array(repeating: nil, count: servers)
        serverOf = [own]
        if own >= 0 { rowOf[own] = 0 }
        workspace = .allocate(byteCount: 64 + (servers + 1) * 64 + 256, alignment: 16)
        // The machine's own row stands for the balancer, which has something to say only in a symmetric cluster.
        var facts = bh_facts_t()
        facts.address = Self.address(1000 + number)
        facts.port = 80
        writer.writeSelf(facts, now: Self.milliseconds(0), wall: 0)
    }

    deinit {
        workspace.deallocate()
    }

    static func milliseconds(_ time: Double) -> UInt64 { 1_000_000 + UInt64(max(0, time) * 1e3) }
    static func microseconds(_ time: Double) -> UInt64 { 1_000_000_000 + UInt64(max(0, time) * 1e6) }

    private static func address(_ number: Int) -> bh_address_t {
        bh_address_t(ipv4: 0x0a00_0000 + UInt32(number) + 1)
    }

    /// Hears a server that tells what the body writes.
    func write(server: Int, _ body: (inout bh_facts_t) -> Void) {
        sequence += 1
        var facts = bh_facts_t()
        facts.address = Self.address(server)
        facts.port = 80
        facts.boot_id = UInt64(server + 1)
        facts.sequence = sequence
        body(&facts)
        guard case .row(let row) = writer.hear(facts, now: Self.milliseconds(0), wall: 0) else { return }
        rowOf[server] = row
        while serverOf.count <= Int(row) { serverOf.append(-1) }
        serverOf[Int(row)] = server
    }

    /// Hears a server, or in a symmetric cluster writes its own row. dispatched: what that server has sent on.
    func hear(_ announced: Announced, dispatched: UInt64) {
        let facts = facts(announced, dispatched: dispatched)
        let now = Self.milliseconds(announced.now)
        if announced.server == own { return writer.writeSelf(facts, now: now, wall: 0) }
        guard case .row(let row) = writer.hear(facts, now: now, wall: 0), rowOf[announced.server] == nil else { return }
        rowOf[announced.server] = row
        while serverOf.count <= Int(row) { serverOf.append(-1) }
        serverOf[Int(row)] = announced.server
    }

    func tick(at now: Double) {
        writer.publishFeedback(nowMicroseconds: Self.microseconds(now))
    }

    /// Runs the chain; nil: it leaves no server.
    func decide(tried: UInt64, at now: Double) -> Int? {
        var request = bh_request_t()
        request.now_ms = Self.milliseconds(now)
        request.seed = seeds.next()
        request.repeatable = true
        var decision = bh_decision_t()
        if tried == 0 { return run(request, &decision) }
        let rows = rowOf.indices.filter { tried >> UInt64($0) & 1 == 1 }.compactMap { rowOf[$0] }
        return rows.withUnsafeBufferPointer { rows in
            request.tried = rows.baseAddress
            request.tried_count = UInt32(rows.count)
            return run(request, &decision)
        }
    }

    private func run(_ request: bh_request_t, _ decision: inout bh_decision_t) -> Int? {
        let status = withUnsafePointer(to: request) {
            BackhandCandidacy.decide(segment, chain.steps, $0, workspace, &decision)
        }
        guard status == BH_OK, decision.count > 0,
            let first = decision.servers?.pointee.id
        else { return nil }
        if decision.probe {
            _ = bh_probe_claim(bh_segment_row_mutable(segment, UInt32(first)), 0, request.now_ms, true)
        }
        return serverOf[Int(first)]
    }

    /// A request has come to this balancer.
    func came() { bh_segment_arrival(segment) }

    /// A request has come to this balancer from another one.
    func cameFromOther() {
        bh_segment_arrival(segment)
        bh_segment_forwarded(segment)
    }

    func begin(_ server: Int, at now: Double) {
        guard let row = rowOf[server], server != own else { return }
        dispatched += 1
        bh_feedback_begin(segment, -1, row, Self.microseconds(now))
    }

    func end(_ server: Int, took: Double, failed: Bool, at now: Double) {
        guard let row = rowOf[server], server != own else { return }
        let at = Self.microseconds(now)
        bh_feedback_end(segment, -1, row, at)
        note(row, took, failed, at)
    }

    /// A request of a client or of a peer has come to be served on the machine of this balancer.
    func entered(at now: Double) {
        bh_feedback_begin(segment, -1, 0, Self.microseconds(now))
    }

    func left(took: Double, at now: Double) {
        let at = Self.microseconds(now)
        bh_feedback_end(segment, -1, 0, at)
        note(0, took, false, at)
    }

    private func note(_ row: UInt32, _ took: Double, _ failed: Bool, _ at: UInt64) {
        let microseconds = UInt64(took * 1e6)
        let kind = failed ? BH_CLASS_FAILED : BH_CLASS_GOOD
        noteTime(segment, row, chain: 0, nowMicroseconds: at, firstByte: microseconds, whole: microseconds, kind: kind)
        // Many clients, and many pages.
        asked = asked &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let bits = bh_asked_t(client: 1 << (asked >> 58), url: 1 << (asked >> 52 & 63))
        noteEvidence(segment, row, chain: 0, kind: kind, asked: bits, now: at / 1000)
        if failed { noteFailed(segment, row) } else { noteServed(segment, row, microseconds) }
    }

    /// A container's machine has this many times its cores, and nothing else to do: its idle share says little of the
    /// container.
    private static let hostOfContainer: Int32 = 4

    /// Of the machine's CPUs, 0 to 1.
    private func idleShare(_ announced: Announced, _ used: Double) -> Double {
        if announced.limitsSeen { return 1 - used / announced.totalCores / Double(Self.hostOfContainer) }
        let idle = announced.speedSeen ? announced.window.idleSeconds / announced.span : max(0, announced.cores - used)
        return max(0, idle / announced.totalCores - announced.busyWithOthers)
    }

    /// What the server's moderator would announce.
    private func facts(_ announced: Announced, dispatched: UInt64) -> bh_facts_t {
        sequence += 1
        let window = announced.window
        let answered = window.served + window.failed
        let used = (announced.speedSeen ? window.coreSeconds : Double(answered) * announced.overhead) / announced.span
        var facts = bh_facts_t()
        facts.address = Self.address(announced.server)
        facts.port = 80
        facts.boot_id = UInt64(announced.server + 1)
        facts.sequence = sequence
        facts.arrivals = announced.arrivals + dispatched
        facts.dispatched = dispatched
        facts.load_hwm = 1000
        facts.load = Int32(announced.loadAverage * 1000)
        facts.ncpu = Int32(announced.totalCores) * (announced.limitsSeen ? Self.hostOfContainer : 1)
        facts.cpu = Int32(idleShare(announced, used) * 1000)
        facts.arriba = Int32(announced.speed * 400_000)
        facts.workers = Int32(announced.workers)
        facts.idle_workers = facts.workers - min(facts.workers, Int32(announced.meanInFlight))
        facts.mean_in_flight = UInt32(announced.meanInFlight * 1000)
        facts.arrival_rate = UInt32(Double(window.arrivals) / announced.span * 1000)
        facts.latency_us = window.served > 0 ? UInt32(window.latency / Double(window.served) * 1e6) : 0
        facts.first_byte_us = facts.latency_us
        facts.cpu_used = announced.usedByOthers ? 0 : UInt32(used * 1000)
        facts.capacity = UInt32(announced.capacity * 400)
        facts.error_ppm = answered > 0 ? UInt32(window.failed * 1_000_000 / answered) : 0
        return facts
    }
}
