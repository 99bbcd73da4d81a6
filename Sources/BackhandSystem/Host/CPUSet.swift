// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// CPUs of a machine, by their numbers.
struct CPUSet: Equatable {
    private static var mostWords: Int { 16 }

    private let words: [UInt64]

    /// How many CPUs it has.
    let count: Int

    init(words: [UInt64]) {
        self.words = words
        count = words.reduce(0) { $0 + $1.nonzeroBitCount }
    }

    /// Those that this process may use (`sched_getaffinity`), which is where a cpuset shows; none if the system does
    /// not tell.
    static func usable() -> CPUSet {
        CPUSet(
            words: [UInt64](unsafeUninitializedCapacity: mostWords) { room, count in
                count = Int(csystem_cpu_mask(room.baseAddress, CInt(mostWords)))
            })
    }

    func contains(_ cpu: UInt64) -> Bool {
        guard cpu < UInt64(words.count * 64) else { return false }
        return words[Int(cpu / 64)] >> (cpu % 64) & 1 == 1
    }
}
