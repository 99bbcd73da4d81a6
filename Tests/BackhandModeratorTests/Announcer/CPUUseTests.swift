// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

@Suite struct CPUUseTests {
    /// One process that goes on, one that comes and one that goes; 400 ms of the first one in half a second.
    @Test func differences() {
        var use = CPUUse()
        #expect(use.share(of: workers(7, 8), nowMicroseconds: 1_000_000) { $0 == 7 ? 100_000 : 900_000 } == 0)
        #expect(use.share(of: workers(7, 9), nowMicroseconds: 1_500_000) { $0 == 7 ? 500_000 : 5_000_000 } == 800)
        #expect(use.share(of: workers(7, 9), nowMicroseconds: 2_500_000) { $0 == 7 ? nil : 5_250_000 } == 250)
        // A process id that was used again: its time is less than before, and says nothing.
        #expect(use.share(of: workers(9), nowMicroseconds: 3_500_000) { _ in 1 } == 0)
    }

    @Test(
        arguments: [
            (734_832, 4000, 2939), (400_000, 500, 200), (0, 4000, 0), (-5, 4000, 0), (400_000, 0, 0), (1, 1, 1),
            (Int32.max, UInt32.max, UInt32.max),
        ] as [(Int32, UInt32, UInt32)])
    func capacities(arriba: Int32, cores: UInt32, expected: UInt32) {
        #expect(capacity(arriba: arriba, cores: cores) == expected)
    }

    private func workers(_ pids: Int32...) -> bh_workers_t {
        var workers = bh_workers_t()
        withUnsafeMutableBytes(of: &workers.pids) { room in
            for (index, pid) in pids.enumerated() { room.storeBytes(of: pid, toByteOffset: 4 * index, as: Int32.self) }
        }
        return workers
    }
}
