// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandCandidacy

/// One request over a fake table: the policy says what comes next, and the test says what the chain leaves and how
/// attempts end.
final class FakeDispatch {
    let table: FakeTable
    let retry: UnsafeMutablePointer<bh_retry_t>
    private let decision: UnsafeMutablePointer<bh_decision_t>
    private let slots: UnsafeMutablePointer<ServerSlot>
    /// CLOCK_MONOTONIC, microseconds.
    var now = FakeTable.now * 1000

    /// A request of chain 1. Row 0 is this server.
    init(
        _ servers: Int = 8, repeatable: Bool = true, retries: UInt32 = 2, seconds: UInt64 = 30, asksSelf: Bool = false
    ) {
        table = FakeTable((0..<servers).map { FakeServer(own: $0 == 0) })
        // What an uninitialised stack holds.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: MemoryLayout<bh_retry_t>.size, alignment: 8)
        memory.initializeMemory(as: UInt8.self, repeating: 0xa5)
        retry = memory.baseAddress!.assumingMemoryBound(to: bh_retry_t.self)
        decision = .allocate(capacity: 1)
        decision.initialize(to: bh_decision_t())
        slots = .allocate(capacity: servers)
        let rules = bh_retry_rules_t(
            most_us: seconds * 1_000_000, retries: retries, chain: 1, repeatable: repeatable, asks_self: asksSelf)
        bh_retry_begin(retry, rules)
    }

    deinit {
        UnsafeMutableRawPointer(retry).deallocate()
        decision.deallocate()
        slots.deallocate()
    }

    var attempt: bh_next_attempt_t { retry.pointee.attempt }

    func row(_ id: UInt32) -> UnsafeMutablePointer<bh_row_t> { bh_segment_row_mutable(table.segment, id) }

    /// The chain has run, and has left these servers.
    @discardableResult
    func decide(_ ids: [Int32], probe: Bool = false, lastResort: Bool = false, choices: UInt32? = nil) -> FakeDispatch {
        for (place, id) in ids.enumerated() {
            slots[place] = ServerSlot(id: id, mode: CChar(BACKHAND_MODE_PROXY), hostheader: nil)
        }
        decision.pointee.servers = UnsafePointer(slots)
        decision.pointee.count = UInt32(ids.count)
        decision.pointee.probe = probe
        decision.pointee.last_resort = lastResort
        decision.pointee.choices = choices ?? UInt32(ids.count)
        decision.pointee.decided_ms = now / 1000
        return self
    }

    /// What comes next: "ask 3", "decide", "no candidate", "give up".
    func next() -> String {
        let time = bh_retry_needs_time(retry, decision.pointee.probe) ? now : 0
        return text(RetryPolicy(retry, table.segment, nowMicroseconds: time).next(decision))
    }

    /// Attempts at this server end so. milliseconds: how long it took to know.
    func fail(
        _ id: UInt32, _ outcome: bh_outcome_t = BH_OUTCOME_REFUSED, milliseconds: UInt64 = 0, held: Bool = false,
        closedReused: Bool = false,
        lacks: Bool = false, recovered: Bool = false, bootID: UInt64 = 0
    ) -> String {
        let failure = bh_failure_t(
            outcome: outcome, id: id, boot_id: bootID, began_us: now, now_us: now + milliseconds * 1000, held: held,
            closed_reused: closedReused,
            lacks: lacks, recovered: recovered)
        now += milliseconds * 1000
        return text(RetryPolicy(retry, table.segment, nowMicroseconds: now).failed(failure))
    }

    /// Servers that the next run of the chain leaves out.
    var tried: [UInt32] { (0..<retry.pointee.tried_count).map { bh_retry_id(retry, $0).pointee } }

    private func text(_ action: bh_retry_action_t) -> String {
        switch action {
        case BH_RETRY_ASK: "ask \(slots[Int(attempt.place)].id)"
        case BH_RETRY_DECIDE: "decide"
        case BH_RETRY_NO_CANDIDATE: "no candidate"
        case BH_RETRY_GIVE_UP: "give up"
        case BH_RETRY_NEXT: "next"
        case BH_RETRY_ANSWER: "answer"
        case BH_RETRY_WAIT: "wait"
        default: "action \(action.rawValue)"
        }
    }
}
