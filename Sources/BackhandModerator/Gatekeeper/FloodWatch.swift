// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Decides when the kernel is to drop what is not for us, before it takes room in our sockets' buffers.
///
/// As long as such datagrams are few they are read, counted by kind and named in the log. More than that is a flood;
/// then the kernel lets only a sample through, by which its end is noticed. Milliseconds of CLOCK_MONOTONIC.
struct FloodWatch {
    /// Datagrams a second: far more than any mistake of a configuration sends, far less than what costs us anything.
    private static var many: UInt64 { 1000 }
    /// How long the sample is counted: at the bound there are twenty in this time, and half as many are as good as
    /// never found by chance.
    private static var looking: UInt64 { 5000 }

    enum Change: Equatable {
        case begins, ends
    }

    /// One datagram in this many is read, and the kernel drops the others.
    private let sample: UInt64
    private(set) var isFlood = false
    private var unwanted: UInt64 = 0
    private var since: UInt64 = 0

    init(sample: UInt64) {
        self.sample = sample
    }

    /// Notes one that was read and is not for us.
    mutating func note() {
        unwanted &+= 1
    }

    /// Looks at what was noted; to be asked whenever something was read, and once a second.
    mutating func look(now: UInt64) -> Change? {
        let elapsed = now >= since ? now - since : 0
        if !isFlood {
            // What has waited in the buffers while the moderator did not read took longer than a second to come.
            if unwanted &* 1000 >= Self.many &* max(elapsed, 1000) { return turn(true, now) }
            if elapsed >= 1000 { begin(now) }
        } else if elapsed >= Self.looking {
            if unwanted &* sample &* 2000 < Self.many &* elapsed { return turn(false, now) }
            begin(now)
        }
        return nil
    }

    private mutating func turn(_ flood: Bool, _ now: UInt64) -> Change {
        isFlood = flood
        begin(now)
        return flood ? .begins : .ends
    }

    private mutating func begin(_ now: UInt64) {
        unwanted = 0
        since = now
    }
}
