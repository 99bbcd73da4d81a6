// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

#if os(Linux)

// What Linux tells in /proc. The parsers take any bytes: a file may be cut, odd or missing, in containers above all.

/// One-minute load average in thousandths, of "0.52 0.58 0.59 1/467 12345".
func parseLoadAverage(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32? {
    var scanner = Scanner(bytes)
    // Without the blank after it the number may be cut.
    guard let load = scanner.thousandths(), scanner.take(Ascii.space) else { return nil }
    return Int32(clamping: load)
}

/// CPU time of all CPUs, of /proc/stat's line "cpu  user nice system idle iowait irq softirq steal guest guest_nice".
func parseCPUTime(_ bytes: UnsafeBufferPointer<UInt8>) -> CPUTime? {
    var scanner = Scanner(bytes)
    while !scanner.isAtEnd {
        if scanner.take(word: "cpu") { return cpuTimeLine(&scanner) }
        _ = scanner.skipLine()
    }
    return nil
}

/// CPU time of these CPUs together, of /proc/stat's lines "cpu0 user nice …", "cpu1 …".
///
/// nil if one has no line: in containers the lines may be those of a set of CPUs, with other numbers.
func parseCPUTime(_ bytes: UnsafeBufferPointer<UInt8>, of cpus: CPUSet) -> CPUTime? {
    var scanner = Scanner(bytes)
    var sum = CPUTime(idle: 0, total: 0)
    var found = 0
    while !scanner.isAtEnd {
        if scanner.take(prefix: "cpu"), let cpu = scanner.number(), cpus.contains(cpu) {
            guard let time = cpuTimeLine(&scanner) else { return nil }
            sum.idle = sum.idle.saturatingPlus(time.idle)
            sum.total = sum.total.saturatingPlus(time.total)
            found += 1
        } else {
            _ = scanner.skipLine()
        }
    }
    return found == cpus.count && found > 0 ? sum : nil
}

/// The rest of a line "cpu …", in ticks; nil if it is cut. Ends after the line.
///
/// Idle is idle and iowait. Guest time is part of user time already.
private func cpuTimeLine(_ scanner: inout Scanner) -> CPUTime? {
    var time = CPUTime(idle: 0, total: 0)
    var field = 0
    scanner.skipBlanks()
    while field < 8, let value = scanner.number() {
        time.total = time.total.saturatingPlus(value)
        if field == 3 || field == 4 { time.idle = time.idle.saturatingPlus(value) }
        field += 1
        scanner.skipBlanks()
    }
    // Linux before 2.6 had four fields. A line without an end may be cut.
    return scanner.skipLine() && field >= 4 ? time : nil
}

/// Memory of /proc/meminfo.
///
/// MemAvailable; before Linux 3.14 what is free or holds files; before 2.6 the line "Mem:" in bytes, if no other is
/// there.
func parseMemory(_ bytes: UnsafeBufferPointer<UInt8>) -> Memory? {
    var scanner = Scanner(bytes)
    var total: UInt64?
    var available: UInt64?
    var reclaimable: UInt64 = 0
    var old: Memory?
    while !scanner.isAtEnd {
        if scanner.take(word: "MemTotal:") {
            total = kilobytes(&scanner) ?? total
        } else if scanner.take(word: "MemAvailable:") {
            available = kilobytes(&scanner) ?? available
        } else if scanner.take(word: "MemFree:") || scanner.take(word: "Buffers:") || scanner.take(word: "Cached:") {
            reclaimable = reclaimable.saturatingPlus(kilobytes(&scanner) ?? 0)
        } else if scanner.take(word: "Mem:") {
            old = oldMemoryLine(&scanner)
        } else {
            _ = scanner.skipLine()
        }
    }
    guard let total, total > 0 else { return old }
    return Memory(total: total, available: min(available ?? reclaimable, total))
}

/// The rest of a line "   24576000 kB", in bytes; nil if it is cut. Ends after the line.
private func kilobytes(_ scanner: inout Scanner) -> UInt64? {
    scanner.skipBlanks()
    let value = scanner.number()
    guard scanner.skipLine() else { return nil }
    return value?.saturatingTimes(1024)
}

/// The rest of "Mem:  total used free shared buffers cached", in bytes. Ends after the line.
private func oldMemoryLine(_ scanner: inout Scanner) -> Memory? {
    var fields: (total: UInt64, reclaimable: UInt64) = (0, 0)
    var count = 0
    scanner.skipBlanks()
    while count < 6, let value = scanner.number() {
        if count == 0 { fields.total = value }
        if count == 2 || count == 4 || count == 5 { fields.reclaimable = fields.reclaimable.saturatingPlus(value) }
        count += 1
        scanner.skipBlanks()
    }
    guard scanner.skipLine(), count == 6, fields.total > 0 else { return nil }
    return Memory(total: fields.total, available: min(fields.reclaimable, fields.total))
}

/// Pages of memory that a process does not share, of /proc/<pid>/statm: "size resident shared text lib data dt".
func parsePrivatePages(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64? {
    var scanner = Scanner(bytes)
    guard scanner.number() != nil, scanner.take(Ascii.space),
        let resident = scanner.number(), scanner.take(Ascii.space),
        let shared = scanner.number(), scanner.take(Ascii.space)
    else { return nil }
    return resident.saturatingMinus(shared)
}

/// Clock ticks of CPU of /proc/<pid>/stat: user and system time, its own and its ended children's (fields 14 to 17).
///
/// The second field is the name in parentheses, which may hold blanks and parentheses: counting begins after the last
/// one.
func parseProcessTicks(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64? {
    guard let name = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    var scanner = Scanner(UnsafeBufferPointer(rebasing: bytes[(name + 1)...]))
    scanner.skipBlanks()
    var sum: UInt64 = 0
    for field in 3...17 {
        if field >= 14 {
            guard let ticks = scanner.number() else { return nil }
            sum = sum.saturatingPlus(ticks)
        } else {
            scanner.skipWord()
        }
        scanner.skipBlanks()
    }
    return sum
}

/// Whether the process is stopped, or dead, by the state in /proc/<pid>/stat, which stands after the name.
func parseProcessStopped(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool? {
    guard let name = bytes.lastIndex(of: UInt8(ascii: ")")), name + 2 < bytes.count else { return nil }
    switch bytes[name + 2] {
    case UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: "Z"), UInt8(ascii: "X"): return true
    default: return false
    }
}

/// Thousandths of a core of cgroup's cpu.max, "200000 100000"; nil if it is "max", or nonsense.
func parseCPULimit(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32? {
    var scanner = Scanner(bytes)
    guard let quota = scanner.number(), scanner.take(Ascii.space), let period = scanner.number(), period > 0 else {
        return nil
    }
    return UInt32(clamping: max(1, quota.saturatingTimes(1000) / period))
}

/// Thousandths of a core of two files of cgroup v1: cpu.cfs_quota_us, which is -1 if there is no limit, and
/// cpu.cfs_period_us.
func parseCPULimit(quota: UnsafeBufferPointer<UInt8>, period: UnsafeBufferPointer<UInt8>) -> UInt32? {
    var (quota, period) = (Scanner(quota), Scanner(period))
    guard let most = quota.number(), let each = period.number(), each > 0 else { return nil }
    return UInt32(clamping: max(1, most.saturatingTimes(1000) / each))
}

/// The group that controls the CPU, of /proc/<pid>/cgroup: lines "4:cpu,cpuacct:/path" (version 1) or "0::/path"
/// (version 2).
func parseGroupPath(_ bytes: UnsafeBufferPointer<UInt8>, version: Int) -> Message? {
    let colon = UInt8(ascii: ":")
    for line in Word(bytes).pieces(at: Ascii.newline) {
        guard let (names, path) = line.split(at: colon).tail?.split(at: colon), let path else { continue }
        let isIt =
            version == 2
            ? names.bytes.isEmpty
            : names.pieces(at: UInt8(ascii: ",")).contains { $0.equals("cpu") }
        if isIt { return Message(path) }
    }
    return nil
}

#endif
