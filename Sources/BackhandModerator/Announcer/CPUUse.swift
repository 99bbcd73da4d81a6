// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// CPU time that httpd's processes used between two looks.
///
/// Of the processes that the scoreboard names, sixteen at most. A process that has come since the last look counts from
/// the next one on.
struct CPUUse {
    private var last: [(process: Int32, time: UInt64)] = []
    private var lookedAt: UInt64 = 0

    /// Thousandths of a core since the last call. time: microseconds of CPU that a process has used so far, nil if it
    /// is gone.
    @inline(never)
    mutating func share(
        of workers: bh_workers_t, nowMicroseconds: UInt64 = monotonicNanoseconds() / 1000, time: (Int32) -> UInt64?
    ) -> UInt32 {
        var found: [(process: Int32, time: UInt64)] = []
        var used: UInt64 = 0
        withUnsafeBytes(of: workers.pids) { pids in
            for process in pids.bindMemory(to: Int32.self) where process > 0 {
                guard let time = time(process) else { continue }
                if let before = last.first(where: { $0.process == process }), time >= before.time {
                    used &+= time &- before.time
                }
                found.append((process, time))
            }
        }
        let span = nowMicroseconds > lookedAt && lookedAt != 0 ? nowMicroseconds &- lookedAt : 0
        last = found
        lookedAt = nowMicroseconds
        return span == 0 ? 0 : UInt32(clamping: used &* 1000 / span)
    }
}
