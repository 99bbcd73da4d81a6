// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// Whether an application works, by its checks so far: rise and fall, as HAProxy has them.
struct CheckState: Equatable {
    private(set) var isFailing: Bool
    /// The last result that speaks against the application, always there while it is failing; nil: it works, and the
    /// last check has passed.
    private(set) var last: CheckResult?
    /// Whether the last check had no answer because the application was busy.
    private(set) var isBusy = false
    /// Results in a row that speak for a change.
    private var run: UInt32 = 0
    /// Whether a result has come. The first one counts at once: a server that is started beside a dead application is
    /// not to get requests until enough checks have failed.
    private(set) var isKnown: Bool

    /// - Parameters:
    ///   - isFailing: as the moderator before has left it; nil: there was none.
    ///   - last: if it is failing, what spoke against it.
    init(isFailing: Bool?, last: CheckResult? = nil) {
        self.isFailing = isFailing ?? false
        self.last = last
        isKnown = isFailing != nil
    }

    /// Takes a result; true if the application has changed.
    mutating func note(_ result: CheckResult, rise: UInt32, fall: UInt32) -> Bool {
        // A busy application has not answered, but it works: that ends a run, and begins none.
        isBusy = result.finding == BH_FINDING_BUSY
        let speaks = !isBusy && result.fails != isFailing
        run = speaks ? run &+ 1 : 0
        if result.fails { last = result } else if !isFailing { last = nil }
        let needed = result.fails ? (isKnown ? fall : 1) : rise
        isKnown = isKnown || !isBusy
        guard speaks, run >= needed else { return false }
        isFailing.toggle()
        if !isFailing { last = nil }
        run = 0
        return true
    }
}
