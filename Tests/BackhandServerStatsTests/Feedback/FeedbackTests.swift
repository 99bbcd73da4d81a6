// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandServerStats

private let answered = BH_OUTCOME_ANSWERED
private let refused = BH_OUTCOME_REFUSED
private let unknown = BH_OUTCOME_UNKNOWN
private let failed = BH_OUTCOME_FAILED
private let noRetry = BH_OUTCOME_NO_RETRY
private let starved = BH_OUTCOME_STARVED

/// What is known beside the outcome.
enum Sign { case none, untrusted, silent, reached, lacks, unreadable, unknown, clientFailed }

/// How a request ended, and what that means. It took 3000 us where nothing else is said.
struct EndOfRequest {
    var outcome: bh_outcome_t
    var status: Int32 = 200
    var took: UInt64 = 3000
    var parts: UInt64 = 0
    var sign = Sign.none
    var complete = true
    var hasBody = false
    var local = false

    var count: Feedback.Count
    var kind: bh_class_t?
    var time: UInt64 = 3000
    var unreachedMilliseconds: UInt64?
    var knowsUs: Bool?
    var warnings: UInt32 = 0

    var result: bh_result_t {
        var result = bh_result_t()
        result.outcome = outcome
        result.status = status
        result.began_us = 5_000_000
        result.ended_us = 5_000_000 + took
        result.parts_us = parts
        result.complete = complete
        result.has_body = hasBody
        result.local = local
        switch sign {
        case .none: break
        case .untrusted: result.untrusted = true
        case .silent: result.silent = true
        case .reached: result.reached = true
        case .lacks: result.lacks = true
        case .unreadable: result.unreadable = true
        case .unknown: result.unknown = true
        case .clientFailed: result.client_failed = true
        }
        return result
    }
}

@Suite struct FeedbackTests {
    @Test(arguments: [
        EndOfRequest(outcome: answered, count: .served, kind: BH_CLASS_GOOD, knowsUs: true),
        EndOfRequest(outcome: answered, status: 206, count: .served, kind: BH_CLASS_GOOD, knowsUs: true),
        EndOfRequest(outcome: answered, status: 304, count: .served, kind: BH_CLASS_UNCHANGED, knowsUs: true),
        EndOfRequest(outcome: answered, status: 302, count: .served, kind: BH_CLASS_ELSEWHERE, knowsUs: true),
        EndOfRequest(outcome: answered, status: 404, count: .served, kind: BH_CLASS_WRONG, knowsUs: true),
        // An answer all the same, but one that speaks against the server.
        EndOfRequest(outcome: answered, status: 500, count: .served, kind: BH_CLASS_FAILED, knowsUs: true),
        // Passed on, because the request is not repeatable.
        EndOfRequest(outcome: answered, status: 503, count: .failed, kind: BH_CLASS_FAILED, knowsUs: true),
        // It died in the middle of its answer, or mod_proxy reports an error of its own.
        EndOfRequest(outcome: answered, complete: false, count: .failed, kind: BH_CLASS_FAILED, knowsUs: true),
        // A tunnel's time is that of its user.
        EndOfRequest(outcome: answered, status: 101, took: 9_000_000, count: .served, time: 0, knowsUs: true),
        // Other servers have taken the rest, for parts of the page.
        EndOfRequest(outcome: answered, took: 9000, parts: 6000, count: .served, kind: BH_CLASS_GOOD, knowsUs: true),
        EndOfRequest(
            outcome: answered, took: 9000, parts: 9000, count: .served, kind: BH_CLASS_GOOD, time: 1, knowsUs: true),
        EndOfRequest(outcome: failed, status: 200, count: .failed, kind: BH_CLASS_FAILED),
        EndOfRequest(outcome: noRetry, status: 200, complete: false, count: .failed, kind: BH_CLASS_FAILED),
    ])
    func answers(_ end: EndOfRequest) {
        check(end)
    }

    @Test(arguments: [
        // No evidence: it is proof, and all children leave the server out.
        EndOfRequest(outcome: refused, complete: false, count: .failed, unreachedMilliseconds: 3),
        EndOfRequest(
            outcome: refused, took: 3_000_000, complete: false, count: .failed, time: 3_000_000,
            unreachedMilliseconds: 3000),
        // mod_proxy has waited for the client's body, for as long as the client wanted.
        EndOfRequest(
            outcome: refused, took: 3_000_000, complete: false, hasBody: true, count: .failed, time: 3_000_000,
            unreachedMilliseconds: 0),
        // The client's Host can bring about a failure of the handshake.
        EndOfRequest(
            outcome: refused, sign: .untrusted, complete: false, count: .failed, time: 0,
            warnings: BH_WARNING_UNTRUSTED.rawValue),
        // Silent, without a sign of life, whether the request is repeatable or has begun to be answered.
        EndOfRequest(
            outcome: failed, took: 8_000_000, sign: .silent, count: .failed, time: 0, unreachedMilliseconds: 8000,
            warnings: BH_WARNING_SILENT.rawValue),
        EndOfRequest(
            outcome: answered, took: 8_000_000, sign: .silent, count: .failed, time: 0, unreachedMilliseconds: 8000,
            knowsUs: true, warnings: BH_WARNING_SILENT.rawValue),
        // It takes connections again; or this process could not make one.
        EndOfRequest(outcome: refused, sign: .reached, complete: false, count: .failed, time: 0),
        EndOfRequest(outcome: refused, sign: .lacks, complete: false, count: .nothing, time: 0),
        EndOfRequest(outcome: starved, sign: .lacks, complete: false, count: .nothing, time: 0),
    ])
    func connectionsThatFail(_ end: EndOfRequest) {
        check(end)
    }

    /// What a client can bring about is no failure of the server.
    @Test(arguments: [
        EndOfRequest(
            outcome: answered, status: 502, sign: .unreadable, complete: false, count: .nothing, time: 0,
            knowsUs: true),
        EndOfRequest(outcome: answered, status: 400, sign: .clientFailed, count: .nothing, time: 0, knowsUs: true),
        EndOfRequest(outcome: unknown, status: 503, sign: .unknown, count: .nothing, time: 0, knowsUs: false),
        EndOfRequest(
            outcome: noRetry, status: 503, sign: .unknown, complete: false, count: .nothing, time: 0, knowsUs: false),
        // Its 503 has gone to the client.
        EndOfRequest(outcome: answered, status: 503, sign: .unknown, count: .nothing, time: 0, knowsUs: false),
    ])
    func whatClientsCanBringAbout(_ end: EndOfRequest) {
        check(end)
    }

    /// What this httpd serves itself: a failure is one of its own answers.
    @Test(arguments: [
        EndOfRequest(outcome: answered, local: true, count: .served, kind: BH_CLASS_GOOD),
        EndOfRequest(outcome: answered, status: 404, local: true, count: .served, kind: BH_CLASS_WRONG),
        EndOfRequest(outcome: answered, status: 500, local: true, count: .failed, kind: BH_CLASS_FAILED),
        EndOfRequest(outcome: answered, took: 0, local: true, count: .served, kind: BH_CLASS_GOOD, time: 1),
    ])
    func servedHere(_ end: EndOfRequest) {
        check(end)
    }

    private func check(_ end: EndOfRequest) {
        let feedback = withUnsafePointer(to: end.result) { Feedback($0) }
        #expect(feedback.count == end.count)
        #expect(feedback.kind?.rawValue == end.kind?.rawValue)
        #expect(feedback.time == end.time)
        #expect(feedback.unreachedMilliseconds == end.unreachedMilliseconds)
        #expect(feedback.knowsUs == end.knowsUs)
        #expect(feedback.warnings == end.warnings)
    }
}

/// What becomes of it in the table.
@Suite struct FeedbackWriterTests {
    private let table = TestSegment()
    private var row: UnsafeMutablePointer<bh_row_t> { table.row(1) }

    private func result(
        _ outcome: bh_outcome_t, status: Int32 = 200, at: UInt64 = 10_000_000, free: Bool = true
    ) -> bh_result_t {
        var result = EndOfRequest(outcome: outcome, status: status, count: .nothing).result
        result.id = 1
        result.chain = 2
        result.began_us = at
        result.first_us = at + 1000
        result.ended_us = at + 3000
        result.free = free
        result.asked = bh_asked_t(client: 1, url: 2)
        return result
    }

    @discardableResult
    private func note(_ result: bh_result_t) -> UInt32 {
        withUnsafePointer(to: result) { report($0, to: table.segment) }
    }

    @Test(arguments: [true, false])
    func anAnswer(free: Bool) {
        #expect(note(result(answered, free: free)) == 0)
        #expect(row.pointee.served == 1 && row.pointee.failed == 0 && row.pointee.service_us == 3000)
        #expect(bh_mean_value(bh_row_latency(row, 2).pointee) == 3000)
        #expect(bh_mean_value(bh_row_latency(row, 0).pointee) == 0, "the chain has separate times")
        #expect(bh_mean_value(row.pointee.first_byte) == 1000)
        #expect(bh_row_answers(row, 2) == (free ? 1 : 0))
    }

    @Test func anAnswerEndsABackoff() {
        note(result(refused))
        #expect(row.pointee.failed == 1 && bh_row_backoff(row) == 10_003 + 1000)
        #expect(bh_row_answers(row, 2) == 0 && bh_row_evidence(row, 2).pointee.run == 0)
        note(result(answered, at: 12_000_000))
        #expect(bh_row_backoff(row) == 0 && row.pointee.refused == 0)
    }

    @Test func failuresOfSeveralClientsAreADoubt() {
        for bit in 0..<UInt64(3) {
            #expect(bh_row_doubts(row, 2) == 0)
            var failure = result(failed)
            failure.asked = bh_asked_t(client: 1 << bit, url: 1 << bit)
            note(failure)
        }
        #expect(bh_row_doubts(row, 2) == bh_doubt_bit(BH_DOUBT_FAILING.rawValue, 0))
        #expect(row.pointee.failed == 3)
    }

    /// The line is worth writing after five seconds; a request that the server answers ends it.
    @Test func aServerThatDoesNotKnowUs() {
        var doesNotKnowUs = result(unknown, status: 503)
        doesNotKnowUs.unknown = true
        for (second, warning) in [(10, 0), (14, 0), (15, BH_WARNING_UNKNOWN.rawValue)] as [(UInt64, UInt32)] {
            doesNotKnowUs.ended_us = second * 1_000_000
            #expect(note(doesNotKnowUs) == warning)
            #expect(bh_row_is_doubtful(row, second * 1000))
            #expect(row.pointee.unknown_ms == 10_000)
        }
        // A minute later it is another matter.
        doesNotKnowUs.ended_us = 70_000_000
        note(doesNotKnowUs)
        #expect(row.pointee.unknown_ms == 70_000)
        note(result(answered, at: 71_000_000))
        #expect(!bh_row_is_doubtful(row, 71_003))
        doesNotKnowUs.ended_us = 90_000_000
        #expect(note(doesNotKnowUs) == 0, "a new beginning")
    }
}
