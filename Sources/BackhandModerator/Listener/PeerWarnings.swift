// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// Seconds that two wall clocks may be apart before that is said: half of what signed requests may be (mb_guard.c).
private let clockTolerance = Int32(30)

/// Seconds that our wall clock is ahead of another one; 0 if that one is not known.
func ahead(_ wall: Int64, of other: Int64) -> Int32 {
    guard other != 0 else { return 0 }
    let (difference, overflow) = wall.subtractingReportingOverflow(other)
    return overflow ? (wall > other ? .max : .min) : Int32(clamping: difference)
}

/// Says what is wrong with other servers' keys, clocks and settings: here, because that is where they are used.
struct PeerWarnings {
    private let config: bh_moderator_config_t
    private let log: Log
    private var keys = Minute()
    private var clocks = Minute()
    private var slashes = SlashWatch()

    init(_ config: bh_moderator_config_t, _ log: Log) {
        self.config = config
        self.log = log
    }

    /// A server signs what it announces, and we have no key: it accepts nothing of ours.
    mutating func key(_ facts: bh_facts_t, now: UInt64) {
        guard keys.isDue(now: now) else { return }
        log(
            BH_LOG_WARNING, LogNumber.signedHere,
            """
            {} has a BackhandKey and this httpd has none: it is used here, but ignores what this httpd announces and \
            does not accept the client's address from it
            """,
            .place(facts.address, facts.port))
    }

    /// What it signs for a request, or we do, may be too old for the other when it arrives.
    mutating func clock(_ facts: bh_facts_t, now: UInt64) {
        guard facts.clock_s.magnitude > clockTolerance.magnitude, clocks.isDue(now: now) else { return }
        log(
            BH_LOG_WARNING, LogNumber.clockWrong,
            "the clock of {} is {} seconds {} this one: beyond 60 seconds neither accepts the other's signed requests",
            .place(facts.address, facts.port), .number(UInt64(facts.clock_s.magnitude)),
            .word(facts.clock_s > 0 ? "behind" : "ahead of"))
    }

    /// The same URL may be found on one of the two, and not on the other.
    mutating func slashes(
        _ facts: bh_facts_t, _ row: UInt32, _ isStranger: Bool, ours: @autoclosure () -> bh_facts_t, now: UInt64
    ) {
        guard slashes.isDue(row, Slashes(facts.slashes), ours: Slashes(config.slashes), isAnother: isStranger, now: now)
        else { return }
        let (here, mine, theirs) = (ours(), Slashes(config.slashes), Slashes(facts.slashes))
        log(
            BH_LOG_WARNING, LogNumber.slashesDiffer,
            """
            for ten minutes {} has had AllowEncodedSlashes {} and MergeSlashes {}, and {} {} and {}: what a URL means \
            depends on the server that gets it
            """,
            .place(here.address, here.port), .word(mine.encoded), .word(mine.merged),
            .place(facts.address, facts.port), .word(theirs.encoded), .word(theirs.merged))
    }
}
