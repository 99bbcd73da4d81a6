// Licensed under the Apache License, Version 2.0; see LICENSE.

/// When the moderator looks at this machine's network. Milliseconds of CLOCK_MONOTONIC.
struct LookTimer {
    /// What waits is tried again so often; and without news of the kernel, each change is found so late.
    private static var retry: UInt64 { 1000 }
    /// With news of the kernel, a look between them is for changes without news.
    private static var rest: UInt64 { 10_000 }
    /// News come in bursts: an interface, its address, its routes. A look costs some system calls for each line, and a
    /// router's table may change all the time.
    private static var gathering: UInt64 { 50 }
    /// After a change, and at the start, when a predecessor may not have gone yet, what waits is tried again at this
    /// distance for a second.
    private static var hurry: UInt64 { 50 }
    /// Where changes do not end, as on a router with many interfaces: looks at that distance for three seconds
    /// altogether, which a network that comes up does not need, one a second after that; and between them this pause. A
    /// look at a thousand interfaces takes some milliseconds.
    private static var slow: UInt64 { 500 }
    private var quick: TokenBucket

    private var next: UInt64
    private var hurriedUntil: UInt64

    /// The first look is due at once.
    init(now: UInt64) {
        next = now
        hurriedUntil = now &+ 1000
        quick = TokenBucket(burst: 60, interval: 1000, now: now)
    }

    /// The network has changed, or seems to have.
    mutating func noteChange(now: UInt64) {
        hurriedUntil = now &+ 1000
        next = min(next, now &+ (quick.isEmpty(now: now) ? Self.slow : Self.gathering))
    }

    func isDue(now: UInt64) -> Bool { now >= next }

    /// A look has been taken.
    ///
    /// - Parameters:
    ///   - waits: whether a line waits, or a port.
    ///   - hasNews: whether the kernel tells of changes.
    mutating func take(waits: Bool, hasNews: Bool, now: UInt64) {
        _ = quick.take(now: now)
        let pause =
            waits && now < hurriedUntil
            ? (quick.isEmpty(now: now) ? Self.slow : Self.hurry) : waits || !hasNews ? Self.retry : Self.rest
        next = now &+ pause
    }

    /// Milliseconds until the next look.
    func wait(now: UInt64) -> UInt64 { next > now ? next - now : 0 }
}
