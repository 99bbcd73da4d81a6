// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import CBackhand
import Testing

/// A server in row 1 that is silent on a request, and another one in row 2.
struct Quiet {
    var seconds: UInt32 = 4
    var mayRetry = true
    var boot: UInt64 = 7
    var age: UInt64 = 500
    var own = false
    /// Rows of the candidates that come next.
    var candidates: [UInt32] = [2]
    var change: @Sendable (TestSegment) -> Void = { _ in }
    var shown: bh_silence_t
}

@Suite struct SilenceTests {
    private static let now: UInt64 = 1_000_000

    @Test(arguments: [
        // No other sign of life.
        Quiet(age: 6001, shown: BH_SILENCE_GONE), Quiet(mayRetry: false, age: 6001, shown: BH_SILENCE_GONE),
        Quiet(seconds: 3, age: 6001, shown: BH_SILENCE_WAIT), Quiet(seconds: 0, age: 6001, shown: BH_SILENCE_WAIT),
        Quiet(seconds: .max, age: 6001, shown: BH_SILENCE_GONE),
        // It has been restarted, so it may end what it has begun.
        Quiet(seconds: 5, boot: 8, shown: BH_SILENCE_GONE), Quiet(seconds: 3, boot: 8, shown: BH_SILENCE_WAIT),
        Quiet(mayRetry: false, boot: 8, shown: BH_SILENCE_WAIT),
        // It announces itself, so its port tells.
        Quiet(shown: BH_SILENCE_PROBE), Quiet(seconds: 5, shown: BH_SILENCE_WAIT),
        Quiet(seconds: 8, shown: BH_SILENCE_PROBE), Quiet(seconds: 12, shown: BH_SILENCE_WAIT),
        Quiet(seconds: 16, shown: BH_SILENCE_PROBE), Quiet(seconds: 17, shown: BH_SILENCE_WAIT),
        Quiet(seconds: .max, shown: BH_SILENCE_WAIT),
        Quiet(mayRetry: false, shown: BH_SILENCE_WAIT), Quiet(own: true, shown: BH_SILENCE_WAIT),
        // No other server could have the request.
        Quiet(boot: 8, change: { bh_word_store(&$0.row(2).pointee.heard_ms, 0) }, shown: BH_SILENCE_WAIT),
        Quiet(change: { bh_word_store(&$0.row(2).pointee.heard_ms, 0) }, shown: BH_SILENCE_WAIT),
        Quiet(change: { bh_word_store(&$0.row(2).pointee.heard_ms, now - 6001) }, shown: BH_SILENCE_WAIT),
        Quiet(change: { bh_half_store(&$0.row(2).pointee.own, 1) }, shown: BH_SILENCE_WAIT),
        Quiet(
            change: { bh_half_store(&$0.row(2).pointee.state, BH_STATE_DRAINING.rawValue) }, shown: BH_SILENCE_WAIT),
        Quiet(change: { noteUnreached($0.segment, 2, now: now, took: 0) }, shown: BH_SILENCE_WAIT),
        Quiet(change: { setRows($0.segment, 0) }, shown: BH_SILENCE_WAIT),
        // Its check has timed out, so a candidate whose check has not gets the request.
        Quiet(seconds: 1, change: late(1), shown: BH_SILENCE_GONE),
        Quiet(seconds: 1, mayRetry: false, change: late(1), shown: BH_SILENCE_WAIT),
        Quiet(seconds: 1, candidates: [], change: late(1), shown: BH_SILENCE_WAIT),
        Quiet(seconds: 1, candidates: [0, UInt32(BH_ROWS)], change: late(1), shown: BH_SILENCE_WAIT),
        Quiet(seconds: 1, candidates: [0, 0, 2], change: late(1), shown: BH_SILENCE_GONE),
        Quiet(seconds: 1, change: late(1, 2), shown: BH_SILENCE_WAIT),
        Quiet(
            seconds: 1,
            change: {
                late(1)($0)
                $0.row(2).pointee.facts.check = UInt32(BH_CHECK_FAILING) | BH_FINDING_STATUS.rawValue
            }, shown: BH_SILENCE_WAIT),
    ])
    func silent(_ quiet: Quiet) {
        let table = TestSegment()
        var (asked, facts) = (announcement(boot: 7), announcement(boot: quiet.boot))
        bh_row_store(table.row(1), &facts)
        bh_row_store(table.row(2), &facts)
        bh_word_store(&table.row(1).pointee.heard_ms, Self.now - quiet.age)
        bh_word_store(&table.row(2).pointee.heard_ms, Self.now)
        bh_half_store(&table.row(1).pointee.own, quiet.own ? 1 : 0)
        bh_word_store(&table.segment.pointee.beat_ms, Self.now)
        setRows(table.segment, 3)
        quiet.change(table)
        var how = bh_next_attempt_t()
        how.may_retry = quiet.mayRetry
        for other in quiet.candidates {
            bh_next_attempt_note(&how, how.other_count, other)
            how.other_count += 1
        }
        #expect(silence(table.segment, 1, &asked, seconds: quiet.seconds, how: &how, now: Self.now) == quiet.shown)
    }
}

/// The checks of these servers have timed out.
private func late(_ ids: UInt32...) -> @Sendable (TestSegment) -> Void {
    { table in
        for id in ids { table.row(id).pointee.facts.check = BH_FINDING_TIMEOUT.rawValue }
    }
}

private func setRows(_ segment: UnsafeMutablePointer<bh_segment_t>, _ rows: UInt32) {
    bh_half_store(&segment.pointee.rows, rows)
}
