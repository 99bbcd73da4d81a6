// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// How long all of httpd's processes have been stopped, as SIGSTOP or a debugger stops them.
///
/// Of the processes that the scoreboard names, sixteen at most; a look each second. One that computes, or waits for a
/// disk or a database, is at work, however long that takes.
struct Stall {
    private var since: UInt64?

    /// Milliseconds until now; 0: one can work, or none is known.
    @inline(never)
    mutating func milliseconds(of workers: bh_workers_t, now: UInt64, isStopped: (Int32) -> Bool?) -> UInt32 {
        var known = 0
        var able = 0
        withUnsafeBytes(of: workers.pids) { pids in
            for process in pids.bindMemory(to: Int32.self) where process > 0 {
                guard let stopped = isStopped(process) else { continue }
                known &+= 1
                if !stopped { able &+= 1 }
            }
        }
        guard known > 0, able == 0 else {
            since = nil
            return 0
        }
        let begin = since ?? now
        since = begin
        return now > begin ? UInt32(clamping: now &- begin) : 0
    }
}
