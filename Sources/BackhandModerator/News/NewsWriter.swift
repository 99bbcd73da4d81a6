// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// Writes a line for each server that joins, leaves, falls silent or comes back: what the table says, within the bounds
/// of ``ServerNews``.
final class NewsWriter {
    /// Milliseconds after the start after which a server that has heard no other one is worth a line: ten
    /// announcements.
    private static var patience: UInt64 { 10_000 }

    private let segment: UnsafeMutablePointer<bh_segment_t>
    private let log: Log
    private var news = ServerNews()
    /// When the table was looked at first and last; CLOCK_MONOTONIC milliseconds.
    private var begun: UInt64 = 0
    private var lookedAt: UInt64 = 0
    /// Whether it was said, or is not to be said any more, that there is no other server.
    private var hasToldAlone = false
    private var commonFailure = CommonFailure()

    init(_ segment: UnsafeMutablePointer<bh_segment_t>, _ log: Log) {
        self.segment = segment
        self.log = log
    }

    /// Remembers the table that a predecessor left.
    func adoptTable(rows: UInt32, now: UInt64) {
        begun = now
        lookedAt = now
        for id in 1..<rows { news.adopt(id, see(id, now: now)) }
    }

    /// Once a second or so.
    ///
    /// - Parameter routes: where this server is announced now.
    func tell(rows: UInt32, routes: [Route], now: UInt64) {
        var others = false
        for id in 1..<rows {
            let seen = see(id, now: now)
            others = others || seen.standing != .absent
            guard let change = news.look(id, seen, now: now) else { continue }
            tell(change)
        }
        lookedAt = now
        if let rest = news.takeRest(now: now) {
            log(
                BH_LOG_NOTICE, LogNumber.manyChanges, "further changes of servers in {} s: {}",
                .number(ServerNews.window / 1000), .text(summary(rest)))
        }
        tellAlone(others, routes, now: now)
        let (checked, failing) = checks(rows: rows, now: now)
        if commonFailure.look(checked: checked, failing: failing, now: now) {
            log(
                BH_LOG_WARNING, LogNumber.allFail, "all {} servers known here that have checks fail them",
                .number(checked))
        }
    }

    /// Servers that are heard, do not stop and check their applications, this one too, and how many of them fail.
    private func checks(rows: UInt32, now: UInt64) -> (checked: UInt64, failing: UInt64) {
        var (checked, failing) = (UInt64(0), UInt64(0))
        let clock = bh_segment_age_clock(segment, now)
        for id in 0..<rows {
            let row = bh_segment_row(segment, id)
            let heard = bh_row_heard(row)
            guard heard != 0, clock <= heard &+ Standing.silence, bh_row_state(row) != BH_STATE_SHUTDOWN.rawValue,
                bh_row_check(row) != BH_FINDING_NONE.rawValue
            else { continue }
            checked += 1
            if bh_row_fails_check(row) { failing += 1 }
        }
        return (checked, failing)
    }

    private func tell(_ change: ServerChange) {
        let seen = change.seen
        let place = seen.standing == .absent ? change.before : seen
        let name = LinePart.place(place.address, place.port)
        let often = LinePart.text(
            change.untold > 0
                ? Message(form: " ({} changes since its last line)", .number(UInt64(change.untold))) : Message())
        switch seen.standing {
        case .absent:
            log(BH_LOG_NOTICE, LogNumber.forgotten, "server {} is forgotten: it was silent for too long{}", name, often)
        case .silent:
            log(
                BH_LOG_NOTICE, LogNumber.silent, "server {} is silent: last heard {} s ago{}", name,
                .number(seen.age / 1000), often)
        case .shutdown: log(BH_LOG_NOTICE, LogNumber.left, "server {} shuts down: its httpd stops{}", name, often)
        case .backoff:
            let seconds = LinePart.number((seen.backoff + 999) / 1000)
            log(
                BH_LOG_NOTICE, LogNumber.backoff, "server {} refuses connections: left out for {} s{}", name, seconds,
                often)
        case .failing where seen.check & BH_CHECK_FAILING != 0:
            var why = Message()
            why.add(finding: seen.check & 0xff, status: seen.check >> 16)
            log(BH_LOG_NOTICE, LogNumber.failsCheck, "server {} fails its own check: {}{}", name, .text(why), often)
        case .failing:
            log(
                BH_LOG_NOTICE, LogNumber.failing, "server {} fails {} % of its requests{}", name,
                .number(seen.failures), often)
        case .well where change.from == .absent:
            log(BH_LOG_NOTICE, LogNumber.joined, "server {} has joined{}", name, often)
        case .well:
            log(BH_LOG_NOTICE, LogNumber.returned, "server {} is back: it {}{}", name, .word(was(change.from)), often)
        }
    }

    private func tellAlone(_ others: Bool, _ routes: [Route], now: UInt64) {
        guard !hasToldAlone, now >= begun &+ Self.patience else { return }
        hasToldAlone = true
        guard !others else { return }
        var targets = Message()
        for route in routes {
            if !targets.bytes.isEmpty { targets.add(", ") }
            targets.add(route.own, port: route.ownPort)
            targets.add(" to ")
            targets.add(bh_address_t(ipv4: route.destination), port: route.port)
        }
        log(
            BH_LOG_NOTICE, LogNumber.alone, "no other server was heard in {} s; announcing {}",
            .number(Self.patience / 1000),
            targets.bytes.isEmpty ? .word("nowhere") : .text(targets))
    }

    private func see(_ id: UInt32, now: UInt64) -> SeenServer {
        let row = bh_segment_row(segment, id)
        let heard = bh_row_heard(row)
        var facts = bh_facts_t()
        guard heard != 0, !bh_row_own(row), bh_row_copy(row, &facts) else { return SeenServer() }
        let clock = bh_segment_age_clock(segment, now)
        let age = clock > heard ? clock - heard : 0
        var seen = SeenServer(address: facts.address, port: facts.port, age: age)
        seen.check = facts.check
        seen.failures = failures(bh_segment_row_mutable(segment, id))
        seen.backoff = ServerNews.backoff(
            until: bh_row_backoff(row), refused: bh_half_load(&bh_segment_row_mutable(segment, id).pointee.refused),
            last: lookedAt, now: now)
        seen.standing = standing(row, seen)
        return seen
    }

    /// The largest share of failures of one chain's requests, per cent.
    private func failures(_ row: UnsafeMutablePointer<bh_row_t>) -> UInt64 {
        withUnsafeBytes(of: &row.pointee.failing) { words in
            var most = UInt64(0)
            for word in words.bindMemory(to: UInt64.self) { most = max(most, bh_mean_value(word)) }
            return min(most / 10_000, 100)
        }
    }

    private func standing(_ row: UnsafePointer<bh_row_t>, _ seen: SeenServer) -> Standing {
        if bh_row_state(row) == BH_STATE_SHUTDOWN.rawValue { return .shutdown }
        if seen.age > Standing.silence { return .silent }
        if seen.backoff > 0 { return .backoff }
        return seen.failures >= 50 || seen.check & BH_CHECK_FAILING != 0 ? .failing : .well
    }
}

private func was(_ standing: Standing) -> StaticString {
    switch standing {
    case .silent: "was silent"
    case .shutdown: "was shutting down"
    case .backoff: "refused connections"
    case .failing: "was failing"
    case .absent, .well: "was not known"
    }
}

/// "4 silent, 2 joined".
private func summary(_ rest: InlineArray<7, UInt32>) -> Message {
    var text = Message()
    let words: InlineArray<7, StaticString> = [
        " forgotten", " back", " silent", " shutdown", " refusing", " failing", " joined",
    ]
    for index in rest.indices where rest[index] > 0 {
        if !text.bytes.isEmpty { text.add(", ") }
        text.add(UInt64(rest[index]))
        text.add(words[index])
    }
    return text
}
