// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Foundation
import Synchronization
import Testing

/// Facts in which every number says the same, so that a mixture of two states is seen.
private func uniform(_ number: UInt64) -> bh_facts_t {
    var facts = announcement("10.0.0.4", boot: 7, sequence: number)
    facts.total_memory = number
    facts.free_memory = number
    facts.worker_memory = number
    facts.arrivals = number
    facts.arriba = Int32(truncatingIfNeeded: number)
    facts.load = facts.arriba
    facts.load_hwm = facts.arriba
    facts.cpu = facts.arriba
    facts.ncpu = facts.arriba
    facts.workers = facts.arriba
    facts.idle_workers = facts.arriba
    withUnsafeMutableBytes(of: &facts.hostname) {
        for index in 0..<63 { $0[index] = UInt8(ascii: "a") + UInt8(number % 26) }
    }
    return facts
}

private func isUniform(_ facts: bh_facts_t) -> Bool {
    let letter = UInt8(ascii: "a") + UInt8(facts.sequence % 26)
    let low = Int32(truncatingIfNeeded: facts.sequence)
    return facts.total_memory == facts.sequence && facts.free_memory == facts.sequence
        && facts.worker_memory == facts.sequence && facts.arrivals == facts.sequence
        && facts.changed_wall == Int64(facts.sequence)
        && facts.arriba == low && facts.load == low && facts.load_hwm == low && facts.cpu == low
        && facts.ncpu == low && facts.workers == low && facts.idle_workers == low
        && withUnsafeBytes(of: facts.hostname) { $0.prefix(63).allSatisfy { $0 == letter } && $0[63] == 0 }
}

private final class Tally: Sendable {
    let read = Atomic<Int>(0)
    let skipped = Atomic<Int>(0)
    let mixed = Atomic<Int>(0)
    let backwards = Atomic<Int>(0)
    let finished = Atomic<Int>(0)
    let stop = Atomic<Bool>(false)
}

@Suite struct SequenceLockTests {
    /// One moderator writes a row as fast as it can, three readers copy it: no copy mixes two states or goes back in time.
    @Test func readersSeeWholeStates() {
        let table = TestSegment()
        let tally = Tally()
        var writer = table.writer()
        _ = writer.hear(uniform(1), now: 1, wall: 1)
        for _ in 0..<3 {
            Thread.detachNewThread {
                Self.read(table, tally)
                tally.finished.add(1, ordering: .releasing)
            }
        }
        let end = Date(timeIntervalSinceNow: 0.7)
        var number = UInt64(1)
        while Date() < end {
            for _ in 0..<256 {
                number += 1
                _ = writer.hear(uniform(number), now: number, wall: Int64(number))
            }
        }
        tally.stop.store(true, ordering: .relaxed)
        while tally.finished.load(ordering: .acquiring) < 3 { Thread.sleep(forTimeInterval: 0.001) }
        #expect(tally.mixed.load(ordering: .relaxed) == 0)
        #expect(tally.backwards.load(ordering: .relaxed) == 0)
        #expect(tally.read.load(ordering: .relaxed) > 1000)
        #expect(table.facts(1)?.sequence == number)
    }

    private static func read(_ table: TestSegment, _ tally: Tally) {
        var last = UInt64(0)
        var facts = bh_facts_t()
        while !tally.stop.load(ordering: .relaxed) {
            guard bh_row_copy(bh_segment_row(table.segment, 1), &facts) else {
                tally.skipped.add(1, ordering: .relaxed)
                continue
            }
            tally.read.add(1, ordering: .relaxed)
            if !isUniform(facts) { tally.mixed.add(1, ordering: .relaxed) }
            if facts.sequence < last { tally.backwards.add(1, ordering: .relaxed) }
            last = facts.sequence
        }
    }

    /// A row whose writer died in the middle is skipped after a bounded number of tries, and readable after the next write.
    @Test func abandonedLock() {
        let table = TestSegment()
        var writer = table.writer()
        _ = writer.hear(uniform(1), now: 1, wall: 1)
        table.row(1).pointee.lock |= 1
        #expect(table.facts(1) == nil)
        _ = writer.hear(uniform(2), now: 2, wall: 2)
        #expect(table.facts(1).map(isUniform) == true)
        #expect(table.row(1).pointee.lock % 2 == 0)
    }
}
