// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandServerStats

@Suite struct EvidenceTests {
    /// Several clients and several URLs, or all that there are.
    @Test(
        arguments: [
            (1, 1, 1, 1, true), (1, 1, 2, 1, false), (1, 1, 1, 2, false), (2, 2, 2, 2, true), (3, 3, 64, 64, true),
            (2, 9, 64, 64, false), (9, 2, 64, 64, false),
            (3, 1, 64, 1, true), (0, 0, 0, 0, true),
        ] as [(Int, Int, Int, Int, Bool)])
    func breadth(clients: Int, urls: Int, allClients: Int, allURLs: Int, isWide: Bool) {
        #expect(Breadth(clients: clients, urls: urls).isWide(of: Breadth(clients: allClients, urls: allURLs)) == isWide)
    }

    /// One client, or one URL, is none, unless it is the only one.
    @Test(
        arguments: [
            (1, 1, 1, 1, 1.0), (1, 1, 5, 5, 0), (1, 5, 5, 5, 0), (5, 1, 5, 5, 0), (3, 3, 5, 5, 0.5), (5, 5, 5, 5, 1),
            (0, 0, 1, 1, 0), (64, 64, 64, 64, 1), (5, 2, 5, 11, 0.1),
        ] as [(Int, Int, Int, Int, Double)])
    func most(clients: Int, urls: Int, allClients: Int, allURLs: Int, share: Double) {
        #expect(
            abs(Breadth(clients: clients, urls: urls).most(of: Breadth(clients: allClients, urls: allURLs)) - share)
                < 1e-9)
    }

    /// From 20 answers on both sides, where neither chance nor the requests explain the difference.
    @Test(
        arguments: [
            (1.0, 20.0, 0.0, 20.0, true), (1, 19.9, 0, 20, false), (1, 20, 0, 19.9, false),
            (0.3, 1000, 0.01, 1000, false), (0.4, 1000, 0.05, 1000, true),
            (0.5, 20, 0, 20, false), (0.5, 40, 0.1, 400, true), (0.6, 30, 0.3, 30, false), (1, 500, 0.95, 500, false),
            (0, 50, 1, 50, false),
        ] as [(Double, Double, Double, Double, Bool)])
    func more(part: Double, of count: Double, than other: Double, of others: Double, isMore: Bool) {
        #expect(Share(part: part, of: count).isMarkedlyMore(than: Share(part: other, of: others)) == isMore)
    }

    @Test(
        arguments: [
            (0.95, 100.0, 0.95, 100.0, true), (0.5, 100, 0.6, 100, true), (0.3, 100, 0.55, 100, true),
            (0.3, 1000, 0.55, 1000, false), (1, 100, 0, 100, false), (1, 19, 1, 100, false),
        ] as [(Double, Double, Double, Double, Bool)])
    func like(part: Double, of count: Double, than other: Double, of others: Double, isLike: Bool) {
        #expect(Share(part: part, of: count).isLike(Share(part: other, of: others)) == isLike)
    }

    private func add(
        _ table: TestSegment, _ id: UInt32, _ kind: bh_class_t, _ clients: [Int], _ urls: [Int], times: Int = 1,
        at now: UInt64 = 1000
    ) {
        for number in 0..<times {
            let asked = bh_asked_t(
                client: 1 << UInt64(clients[number % clients.count]), url: 1 << UInt64(urls[number % urls.count]))
            noteEvidence(table.segment, id, chain: 2, kind: kind, asked: asked, now: now)
        }
    }

    /// The bits after so many failures in a row, of so many clients and URLs, beside answers to five others.
    @Test(
        arguments: [
            (2, 3, 3, false, false), (3, 3, 3, true, false), (9, 3, 3, true, false), (10, 3, 3, true, true),
            (500, 1, 9, false, false), (500, 9, 1, false, false),
        ]
            as [(Int, Int, Int, Bool, Bool)])
    func runs(failures: Int, clients: Int, urls: Int, isLast: Bool, isEverything: Bool) {
        let table = TestSegment()
        add(table, 1, BH_CLASS_GOOD, [50, 51, 52, 53, 54], [50, 51, 52, 53, 54], times: 20)
        add(table, 1, BH_CLASS_FAILED, Array(0..<clients), Array(0..<urls), times: failures)
        let doubts = bh_row_doubts(table.row(1), 2)
        #expect((doubts & bh_doubt_bit(BH_DOUBT_FAILING.rawValue, 0) != 0) == isLast)
        #expect((doubts & bh_doubt_bit(BH_DOUBT_FAILS.rawValue, 0) != 0) == isEverything)
        #expect(bh_row_doubts(table.row(1), 3) == 0, "other chains lose nothing")
    }

    /// One answer in between begins a run anew; four in a row end the doubt, and each of them brings the next look
    /// nearer.
    @Test func answersEndIt() {
        let table = TestSegment()
        add(table, 1, BH_CLASS_FAILED, [0, 1, 2], [0, 1, 2], times: 12)
        let evidence = bh_row_evidence(table.row(1), 2)
        #expect(evidence.pointee.probe_ms == 2000)
        for _ in 0..<3 {
            add(table, 1, BH_CLASS_GOOD, [0], [0], at: 2000)
            #expect(
                bh_row_doubts(table.row(1), 2) == bh_doubt_bit(BH_DOUBT_FAILING.rawValue, 0), "not everything fails")
        }
        add(table, 1, BH_CLASS_FAILED, [0], [0], at: 2000)
        #expect(evidence.pointee.streak == 0)
        _ = bh_probe_claim(table.row(1), 2, 2000, true)
        #expect(evidence.pointee.probe_ms == 3000)
        for _ in 0..<3 { add(table, 1, BH_CLASS_WRONG, [0], [0], at: 2000) }
        #expect(bh_row_doubts(table.row(1), 2) != 0 && evidence.pointee.probe_ms == 2100)
        add(table, 1, BH_CLASS_GOOD, [0], [0], at: 2000)
        #expect(bh_row_doubts(table.row(1), 2) == 0)
    }

    /// The moderator's word after ten seconds: by class, what each of three servers answers to 50 requests a second of
    /// six clients for ten URLs.
    @Test(
        arguments: [
            ([BH_CLASS_GOOD, BH_CLASS_GOOD, BH_CLASS_WRONG], [false, false, true]),
            ([BH_CLASS_GOOD, BH_CLASS_WRONG, BH_CLASS_WRONG], [false, true, true]),
            ([BH_CLASS_WRONG, BH_CLASS_WRONG, BH_CLASS_WRONG], [false, false, false]),
            ([BH_CLASS_GOOD, BH_CLASS_UNCHANGED, BH_CLASS_ELSEWHERE], [false, false, false]),
        ] as [([bh_class_t], [Bool])])
    func wrongAnswers(kinds: [bh_class_t], expected: [Bool]) {
        let table = TestSegment()
        var writer = table.writer()
        for id in 1...3 { _ = writer.hear(announcement("10.0.0.\(id)", boot: UInt64(id) + 10), now: 1000, wall: 5) }
        for second in 1...10 as ClosedRange<UInt64> {
            for (index, kind) in kinds.enumerated() {
                add(table, UInt32(index) + 1, kind, Array(0..<6), Array(0..<10), times: 50, at: second * 1000)
            }
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
        }
        let bit = bh_doubt_bit(BH_DOUBT_WRONG.rawValue, 0)
        #expect((1...3).map { bh_row_doubts(table.row($0), 2) & bit != 0 } == expected)
        if kinds[0] == BH_CLASS_WRONG {
            #expect(table.row(1).pointee.counted & bh_counted_bit(2, BH_CLASS_WRONG.rawValue) != 0, "all alike")
        }
    }

    /// What a new moderator finds in the table is no window's: neither an old history of errors makes a doubt, nor does
    /// one of good answers hide those of today, whatever the predecessor has counted, and however long nobody looked.
    @Test(
        arguments: [(BH_CLASS_WRONG, false), (BH_CLASS_WRONG, true), (BH_CLASS_GOOD, false), (BH_CLASS_GOOD, true)]
            as [(bh_class_t, Bool)])
    func history(kind: bh_class_t, isGap: Bool) {
        let table = TestSegment()
        var writer = table.writer()
        for id in 1...2 { _ = writer.hear(announcement("10.0.0.\(id)", boot: UInt64(id) + 10), now: 1000, wall: 5) }
        func past() {
            add(table, 1, kind, Array(0..<6), Array(0..<10), times: 50_000)
            add(table, 2, BH_CLASS_GOOD, Array(0..<6), Array(0..<10), times: 50_000)
        }
        if isGap {
            writer.publishFeedback(nowMicroseconds: 1_000_000)
            past()
        } else {
            past()
            writer = table.writer()
        }
        for second in 100...110 as ClosedRange<UInt64> {
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
            #expect(table.row(1).pointee.doubts == 0, "after \(second - 100) s")
            for id in 1...2 as ClosedRange<UInt32> {
                add(table, id, BH_CLASS_GOOD, Array(0..<6), Array(0..<10), times: 50, at: second * 1000)
            }
        }
        // From here on server 1 lacks the application.
        for second in 111...119 as ClosedRange<UInt64> {
            add(table, 1, BH_CLASS_WRONG, Array(0..<6), Array(0..<10), times: 50, at: second * 1000)
            add(table, 2, BH_CLASS_GOOD, Array(0..<6), Array(0..<10), times: 50, at: second * 1000)
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
        }
        #expect(bh_row_doubts(table.row(1), 2) == bh_doubt_bit(BH_DOUBT_WRONG.rawValue, 0))
    }

    /// What a server answers in its first second counts, also where the row was another's, or the moderator was there
    /// before any.
    @Test(arguments: [false, true])
    func firstSecond(isOthersRow: Bool) {
        let table = TestSegment()
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.1", boot: 11), now: 1000, wall: 5)
        if isOthersRow { _ = writer.hear(announcement("10.0.0.9", boot: 19), now: 1000, wall: 5) }
        writer.publishFeedback(nowMicroseconds: 1_000_000)
        if isOthersRow {
            add(table, 2, BH_CLASS_GOOD, Array(0..<6), Array(0..<10), times: 50)
            writer.publishFeedback(nowMicroseconds: 2_000_000)
            _ = writer.hear(announcement("10.0.0.1", boot: 11), now: 900_000_000, wall: 5)
            writer.expire(after: 1000, now: 900_000_000)
        }
        _ = writer.hear(announcement("10.0.0.2", boot: 12), now: 900_000_500, wall: 5)
        add(table, 1, BH_CLASS_GOOD, Array(0..<6), Array(0..<10), times: 50, at: 900_000_500)
        add(table, 2, BH_CLASS_WRONG, Array(0..<6), Array(0..<10), times: 50, at: 900_000_500)
        writer.publishFeedback(nowMicroseconds: 3_000_000)
        #expect(bh_row_doubts(table.row(2), 2) == bh_doubt_bit(BH_DOUBT_WRONG.rawValue, 0))
    }

    /// Clients and URLs of the half that is being filled outlive a restart of the moderator: they are emptied five
    /// seconds later.
    @Test func halvesOutliveTheModerator() {
        let table = TestSegment()
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.1", boot: 11), now: 1000, wall: 5)
        let generation = { table.row(1).pointee.generation }
        writer = table.writer()
        writer.publishFeedback(nowMicroseconds: 100_000_000)
        #expect(generation() == 0)
        writer.publishFeedback(nowMicroseconds: 104_000_000)
        #expect(generation() == 0)
        writer.publishFeedback(nowMicroseconds: 105_000_000)
        #expect(generation() == 1)
    }

    /// A row's next server is not judged by what the last one answered, however many answers it has itself.
    @Test func nextServer() {
        let table = TestSegment()
        var writer = table.writer()
        for id in 1...2 { _ = writer.hear(announcement("10.0.0.\(id)", boot: UInt64(id) + 10), now: 1000, wall: 5) }
        for second in 1...5 as ClosedRange<UInt64> {
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
            add(table, 1, BH_CLASS_WRONG, Array(0..<6), Array(0..<10), times: 10, at: second * 1000)
        }
        _ = writer.hear(announcement("10.0.0.2", boot: 12, sequence: 2), now: 90_000, wall: 5)
        writer.expire(after: 60_000, now: 90_000)
        #expect(bh_row_heard(table.row(1)) == 0 && table.row(1).pointee.served == 0)
        _ = writer.hear(announcement("10.0.0.3", boot: 13), now: 160_000, wall: 5)
        _ = writer.hear(announcement("10.0.0.2", boot: 12, sequence: 3), now: 160_000, wall: 5)
        #expect(bh_row_heard(table.row(1)) == 160_000, "the row is the new server's")
        for second in 160...170 as ClosedRange<UInt64> {
            for id in 1...2 as ClosedRange<UInt32> {
                add(table, id, BH_CLASS_GOOD, Array(0..<6), Array(0..<10), times: 100, at: second * 1000)
            }
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
            #expect(table.row(1).pointee.doubts == 0)
        }
    }

    /// Answers a second of each of three servers: good, of another class; whether that class tells of speed after so
    /// many seconds, at all of them.
    @Test(
        arguments: [
            (BH_CLASS_UNCHANGED, [(2, 38), (1, 19), (0, 2)], 10, true),
            (BH_CLASS_WRONG, [(20, 20), (20, 20), (5, 5)], 10, true),
            (BH_CLASS_WRONG, [(28, 12), (28, 12), (7, 3)], 10, true),
            (BH_CLASS_WRONG, [(0, 40), (0, 40), (40, 0)], 10, false),
            (BH_CLASS_WRONG, [(0, 22), (0, 22), (9, 0)], 1, false),
            (BH_CLASS_WRONG, [(0, 22), (0, 22), (4, 0)], 1, false),
            (BH_CLASS_UNCHANGED, [(0, 40), (40, 0), (0, 40)], 10, false),
            (BH_CLASS_WRONG, [(0, 40), (0, 0), (0, 0)], 10, false),
        ] as [(bh_class_t, [(Int, Int)], UInt64, Bool)])
    func counted(kind: bh_class_t, answers: [(Int, Int)], seconds: UInt64, tells: Bool) {
        let table = TestSegment()
        var writer = table.writer()
        for id in 1...3 { _ = writer.hear(announcement("10.0.0.\(id)", boot: UInt64(id) + 10), now: 1000, wall: 5) }
        writer.publishFeedback(nowMicroseconds: 1)
        for second in 1...seconds {
            for (index, count) in answers.enumerated() {
                add(
                    table, UInt32(index) + 1, BH_CLASS_GOOD, Array(0..<6), Array(0..<10), times: count.0,
                    at: second * 1000)
                add(table, UInt32(index) + 1, kind, Array(0..<6), Array(0..<10), times: count.1, at: second * 1000)
            }
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
        }
        let bit = bh_counted_bit(2, kind.rawValue)
        #expect((1...3).map { table.row($0).pointee.counted & bit != 0 } == [tells, tells, tells])
    }

    /// All answers are wrong, and come from one of three servers: it is asked last, until the others are known, for ten
    /// seconds at most.
    @Test(
        arguments: [
            (BH_CLASS_GOOD, [true, true, true]), (BH_CLASS_WRONG, [true, false, false]), (nil, [true, true, false]),
        ] as [(bh_class_t?, [Bool])])
    func trial(others: bh_class_t?, expected: [Bool]) {
        let table = TestSegment()
        var writer = table.writer()
        for id in 1...3 { _ = writer.hear(announcement("10.0.0.\(id)", boot: UInt64(id) + 10), now: 1000, wall: 5) }
        writer.publishFeedback(nowMicroseconds: 1)
        var seen: [Bool] = []
        for second in 1...20 as ClosedRange<UInt64> {
            add(table, 1, BH_CLASS_WRONG, Array(0..<6), Array(0..<10), times: 30, at: second * 1000)
            if second > 1, let others {
                for id in 2...3 as ClosedRange<UInt32> {
                    add(table, id, others, Array(0..<6), Array(0..<10), times: 30, at: second * 1000)
                }
            }
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
            if [1, 8, 20].contains(second) {
                seen.append(bh_row_doubts(table.row(1), 2) & bh_doubt_bit(BH_DOUBT_WRONG.rawValue, 0) != 0)
            }
        }
        #expect(seen == expected)
    }

    /// One client's 400 requests for what one server does not have, beside 50 a second of others: neither doubt nor a
    /// share that anybody notices.
    @Test(arguments: [BH_CLASS_WRONG, BH_CLASS_FAILED])
    func oneClient(kind: bh_class_t) {
        let table = TestSegment()
        var writer = table.writer()
        for id in 1...2 { _ = writer.hear(announcement("10.0.0.\(id)", boot: UInt64(id) + 10), now: 1000, wall: 5) }
        for second in 1...20 as ClosedRange<UInt64> {
            for id in 1...2 as ClosedRange<UInt32> {
                add(table, id, BH_CLASS_GOOD, Array(0..<6), Array(0..<10), times: 50, at: second * 1000)
            }
            add(table, 1, kind, [60], [60], times: 400, at: second * 1000)
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
            #expect(table.row(1).pointee.doubts == 0)
            #expect(bh_mean_value(bh_word_load(bh_row_failing(table.row(1), 2))) == 0)
        }
    }

    /// Six of ten pages fail: that is half, and another server does not; when it is over, so is the doubt.
    @Test func failingHalf() {
        let table = TestSegment()
        var writer = table.writer()
        for id in 1...2 { _ = writer.hear(announcement("10.0.0.\(id)", boot: UInt64(id) + 10), now: 1000, wall: 5) }
        var second: UInt64 = 1
        func pass(_ failing: Bool) {
            for number in 0..<50 {
                add(
                    table, 1, failing && [0, 1, 2, 4, 6, 8].contains(number % 10) ? BH_CLASS_FAILED : BH_CLASS_GOOD,
                    [number % 7], [number % 10], at: second * 1000)
                add(table, 2, BH_CLASS_GOOD, [number % 7], [number % 10], at: second * 1000)
            }
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
            second += 1
        }
        for _ in 0..<3 { pass(true) }
        #expect(bh_row_doubts(table.row(1), 2) == bh_doubt_bit(BH_DOUBT_FAILING.rawValue, 0))
        for _ in 0..<3 { pass(false) }
        #expect(bh_row_doubts(table.row(1), 2) == 0 && bh_row_failing(table.row(1), 2).pointee == 0)
    }

    /// Nothing that stands in the segment makes the moderator or a child trap.
    @Test(arguments: 0..<8) func noise(seed: UInt64) {
        let table = TestSegment()
        var writer = table.writer()
        _ = writer.hear(announcement("10.0.0.1", boot: 1), now: 1000, wall: 5)
        var state = seed
        let bytes = UnsafeMutableRawPointer(table.row(0))
        for offset in stride(from: 0, to: 2 * 2048, by: 8) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            if offset % 2048 >= 320 { bytes.storeBytes(of: state ^ state >> 29, toByteOffset: offset, as: UInt64.self) }
        }
        for second in 1...3 as ClosedRange<UInt64> {
            writer.publishFeedback(nowMicroseconds: second * 1_000_000)
            for kind in 0..<5 as Range<UInt32> {
                add(table, 1, bh_class_t(kind), [3], [4], times: 5, at: second * 1000)
            }
        }
    }
}
