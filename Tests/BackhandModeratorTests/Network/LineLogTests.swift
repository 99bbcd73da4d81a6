// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator
@testable import BackhandSystem

private let away = Obstacle.noRoute(.missing)
private let taken = Obstacle.taken(1, 2)

/// What is noted of one line at which second, and what is said.
private func said(_ notes: [(second: UInt64, obstacle: Obstacle?)]) -> [LineLog.News?] {
    var log = LineLog(lines: 2)
    return notes.map { log.note(1, $0.obstacle, now: 1_000_000 + $0.second * 1000) }
}

@Test func aLineThatWorksIsSaidOnce() {
    #expect(said([(0, nil), (1, nil), (100, nil)]) == [.begins, nil, nil])
}

@Test func oneLineWhenItIsLostAndOneWhenItIsBack() {
    #expect(
        said([(0, nil), (5, away), (6, away), (7, .sending(.denied)), (90, away), (91, nil), (92, nil)])
            == [.begins, .down(away, times: 1), nil, nil, nil, .back, nil])
}

@Test func aNetworkThatComesAfterTheStart() {
    #expect(said([(0, away), (1, away), (3, nil)]) == [.down(away, times: 1), nil, .back])
}

/// The moderator before may need a second to give up its ports.
@Test func aPortOfThePredecessorIsNoLoss() {
    #expect(said([(0, taken), (0, taken), (0, nil)]) == [nil, nil, .begins])
    #expect(said([(0, taken), (1, taken), (2, taken), (3, nil)]) == [nil, .down(taken, times: 1), nil, .back])
}

/// However often it goes and comes, it is one loss a minute, with the number of times.
@Test func aFlappingNetworkIsBounded() {
    var log = LineLog(lines: 1)
    var lines: [LineLog.News] = []
    for second in UInt64(0)..<601 {
        if let news = log.note(0, second % 2 == 0 ? nil : away, now: 1_000_000 + second * 1000) { lines.append(news) }
    }
    let losses = lines.filter { if case .down = $0 { true } else { false } }
    #expect(losses.count <= 10 && losses.count >= 9)
    #expect(losses.first == .down(away, times: 1) && losses.dropFirst().allSatisfy { $0 == .down(away, times: 30) })
    #expect(lines.filter { $0 == .back }.count == losses.count)
    #expect(log.note(7, away, now: 0) == nil && !log.works(7))
}

// ---- When to look ----

@Test(
    arguments: [
        // waits, hasNews, milliseconds after the last change; milliseconds until the next look
        (true, true, 0, 50),
        (true, true, 5000, 1000),
        (true, false, 5000, 1000),
        (false, false, 5000, 1000),
        (false, false, 0, 1000),
        (false, true, 0, 10_000),
        (false, true, 5000, 10_000),
    ] as [(Bool, Bool, UInt64, UInt64)])
func looks(waits: Bool, hasNews: Bool, after: UInt64, wait: UInt64) {
    var timer = LookTimer(now: 1000)
    #expect(timer.isDue(now: 1000))
    timer.take(waits: waits, hasNews: hasNews, now: 1000 + after)
    #expect(timer.wait(now: 1000 + after) == wait)
    // What changes is looked at soon, and a burst of changes does not put it off.
    timer.noteChange(now: 1010 + after)
    timer.noteChange(now: 1040 + after)
    #expect(timer.wait(now: 1010 + after) <= 50 && timer.isDue(now: 1060 + after))
}

/// Where 60 changes a second do not end: few looks, whether something waits or not; and a change is found within half a
/// second at the latest.
@Test(arguments: [false, true]) func looksWhereChangesDoNotEnd(waits: Bool) {
    var timer = LookTimer(now: 1000)
    var (looks, longest, changed) = (0, UInt64(0), UInt64?.none)
    for now in UInt64(1000)..<61_000 {
        if now % 16 == 0 {
            timer.noteChange(now: now)
            changed = changed ?? now
        }
        guard timer.isDue(now: now) else { continue }
        timer.take(waits: waits, hasNews: true, now: now)
        looks += 1
        longest = max(longest, changed.map { now - $0 } ?? 0)
        changed = nil
    }
    #expect(looks <= 60 + 60 * 3)
    #expect(longest <= 500)
    // Once it is over, the next change is found as soon as ever.
    timer.noteChange(now: 121_000)
    #expect(timer.wait(now: 121_000) <= 50)
}
