// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

/// A reference, because #expect and #require call nothing that changes a value.
private final class News {
    private var news = ServerNews()
    func adopt(_ id: UInt32, _ seen: SeenServer) { news.adopt(id, seen) }
    func look(_ id: UInt32, _ seen: SeenServer, now: UInt64) -> ServerChange? { news.look(id, seen, now: now) }
    func takeRest(now: UInt64) -> InlineArray<7, UInt32>? { news.takeRest(now: now) }
}

@Suite struct ServerNewsTests {
    private func seen(_ standing: Standing, _ last: UInt32 = 1) -> SeenServer {
        SeenServer(standing: standing, address: bh_address_t(ipv4: 0x0a00_0000 | last), port: 80)
    }

    @Test(arguments: [
        (Standing.absent, Standing.well), (.well, .silent), (.silent, .well), (.well, .backoff), (.backoff, .well),
        (.well, .failing),
        (.well, .shutdown), (.silent, .absent), (.shutdown, .silent),
    ])
    func eachChangeIsTold(from: Standing, to: Standing) throws {
        let news = News()
        news.adopt(3, seen(from))
        let change = try #require(news.look(3, seen(to), now: 1000))
        #expect((change.from, change.seen.standing, change.untold) == (from, to, 0))
        #expect(news.look(3, seen(to), now: 2000) == nil)
    }

    @Test func whatIsFoundAtTheStartIsNoChange() {
        let news = News()
        for id in UInt32(1)...20 { news.adopt(id, seen(.well, id)) }
        for id in UInt32(1)...20 { #expect(news.look(id, seen(.well, id), now: 1000) == nil) }
    }

    @Test func anotherServerInTheRowHasJoined() throws {
        let news = News()
        news.adopt(1, seen(.silent, 1))
        let change = try #require(news.look(1, seen(.well, 2), now: 1000))
        #expect(change.from == .absent && change.seen.address == bh_address_t(ipv4: 0x0a00_0002))
        // In the same state, too.
        #expect(news.look(1, seen(.well, 3), now: 62_000)?.from == .absent)
    }

    @Test func aServerThatHasJustJoinedMayLeaveAndComeBack() {
        let news = News()
        #expect(news.look(1, seen(.well), now: 1000) != nil)
        #expect(news.look(1, seen(.shutdown), now: 2000) != nil)
        #expect(news.look(1, seen(.well), now: 3000)?.from == .shutdown)
    }

    @Test func aFlappingServerHasOneLineAMinuteOfEachKindWithACount() {
        let news = News()
        var lines: [(UInt64, Standing, UInt32)] = []
        news.adopt(1, seen(.well))
        for second in UInt64(1)...130 {
            guard let change = news.look(1, seen(second % 2 == 1 ? .silent : .well), now: second * 1000) else {
                continue
            }
            lines.append((second, change.seen.standing, change.untold))
        }
        #expect(lines.map { $0.0 } == [1, 2, 61, 62, 121, 122])
        #expect(lines.map { $0.1 } == [.silent, .well, .silent, .well, .silent, .well])
        #expect(lines.map { $0.2 } == [0, 0, 58, 0, 58, 0])
    }

    /// Silent, back, and silent for good within the quiet minute: the log does not end with "is back".
    @Test func whatTheLogSaysLastBecomesTrue() {
        let news = News()
        news.adopt(1, seen(.well))
        let states: [Standing] =
            [.silent, .well, .silent] + [Standing](repeating: .well, count: 2)
            + [Standing](repeating: .silent, count: 200)
        var lines: [(Int, Standing, Standing, UInt32)] = []
        for (second, state) in states.enumerated() {
            guard let change = news.look(1, seen(state), now: 1000 * UInt64(second + 1)) else { continue }
            lines.append((second + 1, change.from, change.seen.standing, change.untold))
        }
        #expect(lines.map { $0.0 } == [1, 2, 61])
        #expect(lines.map { $0.1 } == [.well, .silent, .well] && lines.map { $0.2 } == [.silent, .well, .silent])
        #expect(lines.map { $0.3 } == [0, 0, 2], "to silent and back; the last one is told")
    }

    /// The same, whatever happens, to several servers, in rows that change hands: after a minute and a window the lines
    /// are the truth, and never too many.
    @Test(arguments: 0..<30 as Range<UInt64>) func theTruthIsTold(seed: UInt64) {
        let news = News()
        var state = seed &+ 1
        func next(_ limit: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % limit
        }
        let standings: [Standing] = [.absent, .well, .silent, .shutdown, .backoff, .failing]
        var rows = [SeenServer](repeating: SeenServer(), count: 4)
        var told = rows
        var lines = 0
        for second in UInt64(1)...300 {
            for id in rows.indices {
                if second <= 200, next(3) == 0 { rows[id] = seen(standings[Int(next(6))], UInt32(next(2))) }
                guard let change = news.look(UInt32(id), rows[id], now: second * 1000) else { continue }
                lines += 1
                told[id] = change.seen
            }
            _ = news.takeRest(now: second * 1000)
        }
        #expect(told.map(\.standing) == rows.map(\.standing))
        #expect(lines <= 4 * 7 * 6)
    }

    @Test func afterTenLinesInTenSecondsTheRestIsOne() {
        let news = News()
        var told = 0
        for id in UInt32(1)...40 where news.look(id, seen(.well, id), now: 5000) != nil { told += 1 }
        #expect(told == 10)
        let early = news.takeRest(now: 14_999) != nil
        #expect(!early)
        let rest = news.takeRest(now: 15_000) ?? InlineArray(repeating: 0)
        let joined = rest[Standing.well.kind(from: .absent)], silent = rest[Int(Standing.silent.rawValue)]
        #expect(joined == 30 && silent == 0)
        let again = news.takeRest(now: 15_001) != nil
        #expect(!again)
        // A new window has room again.
        #expect(news.look(41, seen(.well, 41), now: 15_100) != nil)
    }

    /// One whose end lies after the look before counts, although it is over; the time is that for which the server is
    /// or was left out.
    @Test(
        arguments: [
            // (end, refusals, last look, now, milliseconds)
            (0, 0, 0, 0, 0), (0, 0, 5000, 6000, 0), (0, 3, 5000, 6000, 0),
            (6600, 1, 5000, 6000, 600), (21_999, 5, 5000, 6000, 15_999),
            (6000, 1, 5000, 6000, 1000), (6000, 1, 4990, 6000, 1000), (5990, 1, 4980, 6000, 1000),
            (5001, 1, 5000, 6000, 1),
            (8900, 2, 5000, 9000, 2000), (8900, 1, 5000, 9000, 1000), (8900, 0, 5000, 9000, 1000),
            (8900, 99, 1000, 9000, 7900),
            (5000, 1, 5000, 6000, 0), (4000, 1, 5000, 6000, 0), (38_001, 1, 5000, 6000, 0), (.max, .max, 5000, 6000, 0),
            (.max, 1, .max, .max, 0),
        ] as [(UInt64, UInt32, UInt64, UInt64, UInt64)])
    func aBackOffBetweenTwoLooksIsOne(until: UInt64, refused: UInt32, last: UInt64, now: UInt64, milliseconds: UInt64) {
        #expect(ServerNews.backoff(until: until, refused: refused, last: last, now: now) == milliseconds)
    }

    @Test func rowsAtBothEnds() {
        let news = News()
        #expect(news.look(0, seen(.well), now: 1) != nil)
        #expect(news.look(UInt32(BH_ROWS) - 1, seen(.well), now: 1) != nil)
    }
}
