// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
@_exported import BackhandTestbed
import CBackhand
import Testing

@testable import BackhandCandidacy

/// What a test says of one server; the rest is 0.
struct FakeServer {
    var load: Int32 = 0
    var highWaterMark: Int32 = 0
    var cpu: Int32 = 0
    var totalMemory: Int32 = 0
    var availableMemory: Int32 = 0
    var workers: Int32 = 0
    var idleWorkers: Int32 = 0
    var workerMemory: UInt64 = 0
    /// CLOCK_MONOTONIC of its last announcement; 0: an empty row.
    var heard: UInt64 = FakeTable.now
    var backoff: UInt64 = 0
    /// Refusals in a row.
    var refused: UInt32 = 0
    /// Why it is asked last by chains without a slot of their own: bits of bh_doubt_t; and when the next request may
    /// probe whether it works.
    var doubts: [bh_doubt_t] = []
    var probe: UInt64 = FakeTable.now + 1000
    /// Whether it is this httpd itself.
    var own = false
    var address = "0.0.0.0"
    var port: UInt16 = 0
    // What forecasts need. Times in microseconds, means in units.
    var arriba: Int32 = 0
    var capacity: UInt32 = 0
    var mean = 0.0
    var announcedTime: UInt32 = 0
    var announcedErrors: UInt32 = 0
    /// What it announces of its own checks.
    var check: UInt32 = 0
    var inFlight: UInt32 = 0
    var sentMean = 0.0
    var time: UInt64 = 0
    /// Millionths.
    var errors: UInt64 = 0
    /// Of its announcement, beside the public row's: see WorkersTests.
    var announcedIdle: Int32 = 0
    var announcedWorkers: Int32 = 0
    var shortSince: UInt64 = 0
}

/// A segment as the moderator would have written it.
final class FakeTable {
    static let now: UInt64 = 1_000_000
    private let memory = SegmentMemory()
    var segment: UnsafeMutablePointer<bh_segment_t> { memory.segment }

    init(_ servers: [FakeServer]) {
        for (id, server) in servers.enumerated() { set(UInt32(id), server) }
        bh_half_store(&segment.pointee.rows, UInt32(servers.count))
    }

    convenience init(count: Int) { self.init(Array(repeating: FakeServer(), count: count)) }

    convenience init(loads: [Int32]) { self.init(loads.map { FakeServer(load: $0) }) }

    func set(_ id: UInt32, _ server: FakeServer) {
        let row = bh_segment_public_mutable(segment, id)
        bh_public_store(&row.pointee.load, server.load)
        bh_public_store(&row.pointee.load_hwm, server.highWaterMark)
        bh_public_store(&row.pointee.cpu, server.cpu)
        bh_public_store(&row.pointee.tmem, server.totalMemory)
        bh_public_store(&row.pointee.amem, server.availableMemory)
        bh_public_store(&row.pointee.nservers, server.workers)
        bh_public_store(&row.pointee.aservers, server.idleWorkers)
        let extended = bh_segment_row_mutable(segment, id)
        var facts = bh_facts_t()
        facts.worker_memory = server.workerMemory
        facts.address = parseAddress(server.address)!
        facts.port = server.port
        bh_row_store(extended, &facts)
        bh_word_store(&extended.pointee.heard_ms, server.heard)
        bh_half_store(&extended.pointee.own, server.own ? 1 : 0)
        bh_word_store(&extended.pointee.backoff_until_ms, server.backoff)
        bh_half_store(&extended.pointee.refused, server.refused)
        for why in server.doubts { _ = bh_doubt_begin(extended, 0, why.rawValue, server.probe) }
        extended.pointee.facts.idle_workers = server.announcedIdle
        extended.pointee.facts.workers = server.announcedWorkers
        bh_segment_set_spare(segment, id, server.shortSince, UInt32(server.announcedIdle))
        extended.pointee.facts.arriba = server.arriba
        extended.pointee.facts.capacity = server.capacity
        extended.pointee.facts.mean_in_flight = UInt32(server.mean * 1000)
        extended.pointee.facts.latency_us = server.announcedTime
        extended.pointee.facts.error_ppm = server.announcedErrors
        extended.pointee.facts.check = server.check
        extended.pointee.effective_capacity = server.capacity
        extended.pointee.in_flight = server.inFlight
        extended.pointee.sent_mean = UInt32(server.sentMean * 1000)
        if server.time > 0 { bh_mean_add(&extended.pointee.latency, Self.now * 1000, server.time, 1, 0) }
        if server.errors > 0 {
            bh_word_store(bh_row_failing(extended, 0), bh_mean_word(server.errors, Self.now * 1000))
        }
    }

    /// Fills the segment with random bytes.
    func fillWithNoise(seed: UInt64) {
        var state = seed
        for index in stride(from: 0, to: memory.bytes.count, by: 8) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            memory.bytes.storeBytes(of: state ^ state >> 29, toByteOffset: index, as: UInt64.self)
        }
    }

    /// A request without wishes.
    static func request(now: UInt64 = FakeTable.now, seed: UInt64 = 1) -> bh_request_t {
        var request = bh_request_t()
        request.now_ms = now
        request.seed = seed
        request.repeatable = true
        return request
    }

    /// Bytes of workspace that the chain needs over this table.
    func workspaceSize(_ chain: Chain) -> Int {
        withExtendedLifetime(chain) { BackhandCandidacy.workspaceSize(segment, chain.steps) }
    }

    /// Runs a chain such as ["byAge 6", "byLoad"] in a workspace of exactly the size that is asked for.
    func decide(_ chain: [String], seed: UInt64 = 1, now: UInt64 = FakeTable.now) throws -> Outcome {
        try decide(Chain(chain), seed: seed, now: now)
    }

    func decide(
        _ chain: Chain, seed: UInt64 = 1, now: UInt64 = FakeTable.now, size: Int? = nil,
        context: UnsafeMutableRawPointer? = nil, cookie: String? = nil, query: String? = nil, tried: [UInt32] = [],
        own: UInt32 = 0, number: UInt32 = 0,
        accepted: [bh_network_t] = [], repeatable: Bool = true,
        idle: (@convention(c) (UInt32) -> UInt32)? = nil, sendsFree: Bool = false, isScarce: Bool = false,
        members: [bh_member_t] = [], sessions: UnsafePointer<bh_sessions_t>? = nil
    ) -> Outcome {
        let workspace = GuardedMemory(size ?? workspaceSize(chain))
        var decision = bh_decision_t()
        return withExtendedLifetime((self, chain, workspace)) {
            let status = tried.withUnsafeBufferPointer { tried in
                var request = FakeTable.request(now: now, seed: seed)
                request.context = context
                request.sends_free = sendsFree
                request.is_scarce = isScarce
                request.tried = tried.baseAddress
                request.tried_count = UInt32(tried.count)
                request.self_id = own
                request.chain = number
                request.repeatable = repeatable
                request.idle_workers = idle
                request.sessions = sessions
                return members.withUnsafeBufferPointer { members in
                    if members.count > 0 {
                        (request.members, request.member_count) = (members.baseAddress, UInt32(members.count))
                    }
                    return accepted.withUnsafeBufferPointer { accepted in
                        request.accepted = accepted.baseAddress
                        request.accepted_count = accepted.count
                        return withText(cookie) { cookie in
                            withText(query) { query in
                                request.cookie = cookie
                                request.query = query
                                return BackhandCandidacy.decide(
                                    segment, chain.steps, &request, workspace.inner, &decision)
                            }
                        }
                    }
                }
            }
            #expect(workspace.isIntact, "something was written outside of the workspace")
            return Outcome(status, decision, steps: chain.steps.count)
        }
    }
}

/// A text of C in memory of just its size, so that reading on is seen by a sanitizer; nil for nil.
func withText<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let text else { return body(nil) }
    return Array(text.utf8CString).withUnsafeBufferPointer { body($0.baseAddress) }
}

extension FakeTable {
    /// Decides once with each seed and hands out the ids that are left. No checks: this is for statistics.
    func decideOften(_ lines: [String], seeds: Range<UInt64>, stride: UInt64 = 1, _ body: (Slots) -> Void) throws {
        let chain = try Chain(lines)
        let workspace = GuardedMemory(workspaceSize(chain))
        var decision = bh_decision_t()
        for seed in seeds {
            var request = Self.request(seed: seed &* stride)
            _ = BackhandCandidacy.decide(segment, chain.steps, &request, workspace.inner, &decision)
            withExtendedLifetime((self, chain, workspace)) {
                body(UnsafeBufferPointer(start: decision.servers, count: Int(decision.count)))
            }
        }
    }

    typealias Slots = UnsafeBufferPointer<ServerSlot>
}

extension StaticString {
    /// As tests compare it.
    var text: String { withUTF8Buffer { String(decoding: $0, as: UTF8.self) } }
}

/// A decision, copied out of the workspace.
struct Outcome: Equatable {
    let status: UInt32
    let ids: [Int32]
    let modes: [CChar]
    let hosts: [UnsafeMutablePointer<CChar>?]
    let counts: [UInt16]
    let lastResort: Bool
    let fault: Int32
    let faultStep: UInt32
    let decided: UInt64
    let choices: UInt32
    let probe: Bool

    init(_ status: bh_status_t, _ decision: bh_decision_t, steps: Int) {
        let slots = UnsafeBufferPointer(start: decision.servers, count: Int(decision.count))
        self.status = status.rawValue
        ids = slots.map(\.id)
        modes = slots.map(\.mode)
        hosts = slots.map(\.hostheader)
        counts = decision.counts.map { Array(UnsafeBufferPointer(start: $0, count: steps + 1)) } ?? []
        lastResort = decision.last_resort
        fault = decision.fault
        faultStep = decision.fault_step
        decided = decision.decided_ms
        choices = decision.choices
        probe = decision.probe
    }
}

/// Memory with known bytes on both sides. What it holds at first is noise.
final class GuardedMemory {
    private static let margin = 128
    private let outer: UnsafeMutableRawBufferPointer
    let inner: UnsafeMutableRawBufferPointer

    init(_ size: Int) {
        outer = .allocate(byteCount: size + 2 * Self.margin, alignment: 16)
        outer.initializeMemory(as: UInt8.self, repeating: 0xa5)
        inner = UnsafeMutableRawBufferPointer(rebasing: outer[Self.margin..<Self.margin + size])
    }

    deinit { outer.deallocate() }

    var isIntact: Bool {
        outer.prefix(Self.margin).allSatisfy { $0 == 0xa5 } && outer.suffix(Self.margin).allSatisfy { $0 == 0xa5 }
    }
}
