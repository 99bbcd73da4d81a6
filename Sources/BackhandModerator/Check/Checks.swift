// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// Asks the applications of this machine whether they work (BackhandCheck), and tells what is to be announced of them.
final class Checks {
    private let config: bh_moderator_config_t
    private let segment: UnsafeMutablePointer<bh_segment_t>
    private let log: Log
    private let network: NetworkFollower
    private var checks: [Check] = []

    init(
        _ config: bh_moderator_config_t, _ segment: UnsafeMutablePointer<bh_segment_t>, _ log: Log,
        _ network: NetworkFollower
    ) {
        self.config = config
        self.segment = segment
        self.log = log
        self.network = network
    }

    /// Before the first wait. What the moderator before has announced goes on until a check says something else.
    func begin(rows: UInt32, now: UInt64) {
        for settings in UnsafeBufferPointer(start: config.checks, count: config.check_count).prefix(Int(BH_CHECKS)) {
            checks.append(Check(settings, stateBefore(settings, rows: rows), now: now))
        }
    }

    /// Only the check that the row names is known to be failing: of the others the first result counts at once.
    private func stateBefore(_ settings: bh_check_t, rows: UInt32) -> CheckState {
        guard let place = place(of: settings),
            let id = row(in: segment, rows: rows, of: place.own, port: place.ownPort)
        else { return CheckState(isFailing: nil) }
        // No other process writes our own rows.
        let row = bh_segment_row(segment, id)
        let known = bh_row_check(row)
        guard bh_row_fails_check(row) else { return CheckState(isFailing: known == 0 ? nil : false) }
        let isNamed = Self.isNamed(settings, Word(bh_row_check_name(row)))
        return CheckState(isFailing: isNamed ? true : nil, last: isNamed ? CheckResult(announced: known) : nil)
    }

    private static func isNamed(_ settings: bh_check_t, _ announced: Word) -> Bool {
        var named = bh_facts_t()
        named.setCheckName(settings.name(withHost: announced.bytes.first != UInt8(ascii: "/")))
        return withUnsafePointer(to: named) { Word(bh_facts_check_name($0)).equals(announced, ignoringCase: false) }
    }

    /// httpd stops: what its checks find from now on says nothing.
    func end() {
        close()
        checks = []
    }

    func close() {
        for check in checks { check.stop() }
    }

    /// Begins what is due, and says what to wait for.
    func prepare(_ readiness: inout Readiness, now: UInt64) {
        for check in checks {
            if check.isDue(now: now) { start(check, now: now) }
            check.prepare(&readiness)
        }
    }

    /// Milliseconds until a check is due, or late; nil without checks.
    func wait(now: UInt64) -> UInt64? {
        var soonest: UInt64?
        for check in checks { soonest = min(soonest ?? .max, check.wait(now: now)) }
        return soonest
    }

    /// Does what is possible now; true if what is announced is to change at once.
    func serve(_ readiness: Readiness, now: UInt64) -> Bool {
        var changes = false
        for check in checks {
            let result = check.proceed(readiness, now: now) { completed(check.settings.vhost) }
            if let result, note(result, of: check) { changes = true }
        }
        return changes
    }

    /// Where the application is, as it is announced; nil: it is not, or not now.
    private func place(of check: bh_check_t) -> VirtualHost? {
        network.plan.routes.first { $0.vhost == check.vhost }.map {
            VirtualHost(number: check.vhost, own: $0.own, ownPort: $0.ownPort)
        }
    }

    private func start(_ check: Check, now: UInt64) {
        guard let place = place(of: check.settings) else { return }
        let request = checkRequest(check.settings, at: place, mark: config.alone ? nil : checkSecret(segment))
        do throws(SystemError) {
            try check.start(at: place, request, now: now)
        } catch {
            // Any other error is ours, such as no free descriptor or port, and nothing is known of the application.
            if error == .refused { _ = note(.refused, of: check) }
        }
    }

    /// How many checks of this server wait for their answers.
    func underWay(_ vhost: UInt16) -> UInt32 {
        var count = UInt32(0)
        for check in checks where check.settings.vhost == vhost && check.isUnderWay { count += 1 }
        return count
    }

    private func completed(_ vhost: UInt16) -> UInt64 {
        if let ask = config.completed { return ask(config.baton, vhost, underWay(vhost)) }
        // A worker that begins with a request has completed another one.
        return config.lookAtWorkers().idle > 0 ? 0 : bh_word_load(&segment.pointee.arrivals) &+ 1
    }

    /// True if what is announced changes.
    private func note(_ result: CheckResult, of check: Check) -> Bool {
        let wasFailing = check.state.isFailing
        let isNews = check.note(result)
        if check.state.isFailing != wasFailing { tell(check) }
        return isNews
    }

    private func tell(_ check: Check) {
        let place = place(of: check.settings).map { LinePart.place($0.own, $0.ownPort) } ?? .word("this server")
        let name = LinePart.text(check.settings.name(withHost: true))
        guard check.state.isFailing, let last = check.state.last else {
            log(BH_LOG_NOTICE, LogNumber.checkPasses, "the application at {} passes the check {} again", place, name)
            return
        }
        var why = Message()
        why.add(finding: last.finding.rawValue, status: last.status)
        log(
            BH_LOG_WARNING, LogNumber.checkFails, "the application at {} fails the check {}: {}", place, name,
            .text(why))
    }

    /// Adds what the checks of this server have found: the first that is failing, else the first that has not passed.
    func describe(_ vhost: UInt16, _ facts: inout bh_facts_t) {
        var (worst, count) = (Check?.none, 0)
        facts.check = BH_FINDING_NONE.rawValue
        for check in checks where check.settings.vhost == vhost {
            count += 1
            if check.state.isKnown { facts.check = max(facts.check, BH_FINDING_PASSES.rawValue) }
            if check.state.isBusy { facts.check = BH_FINDING_BUSY.rawValue }
            guard check.state.last != nil, worst?.state.isFailing != true else { continue }
            if worst == nil || check.state.isFailing { worst = check }
        }
        guard let worst, let last = worst.state.last else { return }
        facts.check = last.finding.rawValue | last.status << 16
        if worst.state.isFailing { facts.check |= UInt32(BH_CHECK_FAILING) }
        facts.setCheckName(worst.settings.name(withHost: count > 1))
    }
}
