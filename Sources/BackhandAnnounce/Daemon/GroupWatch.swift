// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem

/// CPU that a server's control groups use, and how much they may use.
struct GroupWatch {
    /// What is known of them; nil: nothing.
    struct Use: Equatable {
        /// Thousandths of a core since the last look; nil: there was none.
        var cpu: UInt32?
        /// The least limit, thousandths of a core; nil: there is none.
        var limit: UInt32?
    }

    private var groups: [ServiceGroup] = []
    /// Of the process that listens: the number by which the group was found, or looked for.
    private var number: UInt64 = 0
    private var last: (time: UInt64, at: UInt64)?

    /// Looks at the groups with these names; without any, at that of the process that listens.
    ///
    /// - Parameters:
    ///   - listening: the number of its group; 0: not known.
    ///   - now: microseconds.
    mutating func look(named names: [[UInt8]], listening: UInt64, now: UInt64) -> Use? {
        find(named: names, listening: listening)
        var time: UInt64 = 0
        for group in groups {
            guard let used = group.cpuTime else { return forget() }
            time &+= used
        }
        guard !groups.isEmpty, names.isEmpty || groups.count == names.count else { return forget() }
        let before = last
        last = (time, now)
        var use = Use(limit: groups.count == 1 ? groups[0].limit : nil)
        if let before, now > before.at, time >= before.time {
            use.cpu = UInt32(clamping: (time - before.time) &* 1000 / (now - before.at))
        }
        return use
    }

    /// A group that is not there is looked for again at the next look, but by its number only when that changes.
    private mutating func find(named names: [[UInt8]], listening: UInt64) {
        if names.isEmpty {
            guard listening != number else { return }
            number = listening
            groups = ServiceGroup(number: listening).map { [$0] } ?? []
        } else if groups.count != names.count {
            groups = names.compactMap { ServiceGroup(named: $0) }
        }
    }

    /// One of them is gone, so what was used since the last look is not known.
    private mutating func forget() -> Use? {
        last = nil
        groups = []
        return nil
    }
}
