// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CSystem

/// Looks at this machine once a second: load, idle CPUs, memory.
///
/// Keeps the directory /proc open, so that it goes on working in a process that changes its root directory afterwards.
/// A platform has a file HostSampler+Name.swift with the parsers of what its kernel tells.
public struct HostSampler {
    // All of /proc/meminfo fits.
    private static var roomForFile: Int { 8192 }

    // A thousand CPUs have a hundred bytes each in /proc/stat; what is after them is not needed.
    private static var roomForCPUs: Int { 128 << 10 }

    // Ticks of the usable CPUs together, 10 ms each: the share of fewer would be chance.
    private static var shortestSpan: UInt64 { 8 }

    private let directory: Int32
    private let group: ControlGroup
    private var last: HostSample
    private var lastReading: CPUReading?

    /// Samples what the directory tells, normally /proc. If there is none, no figure will be known.
    public init(directory path: Path = Path("/proc")) {
        directory = path.withCString { csystem_open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
        group = ControlGroup(process: directory)
        last = HostSample()
        last.cpus = Int32(clamping: csystem_cpu_count())
        restart()
    }

    /// Closes the directories that it keeps open.
    public func close() {
        if directory >= 0 { _ = CSystem.close(directory) }
        group.close()
    }

    /// Begins a new span for the idle share; until it has a length, the share since the system's start holds.
    public mutating func restart() {
        lastReading = readCPUs()
        if let idle = lastReading?.time.idleShare(since: CPUTime(idle: 0, total: 0)) { last.idle = idle }
    }

    /// The figures now. One that cannot be had is as it was, and is named to missing.
    public mutating func sample(missing: (HostFigure) -> Void) -> HostSample {
        if let load = file(Path("loadavg"), parseLoadAverage) { last.load = load } else { missing(.load) }
        if let memory = file(Path("meminfo"), parseMemory) {
            last.totalMemory = memory.total
            last.availableMemory = memory.available
        } else {
            missing(.memory)
        }
        if let reading = readCPUs() { takeIdle(reading) } else { missing(.idle) }
        last.cpus = Int32(clamping: csystem_cpu_count())
        return last
    }

    /// Of the CPUs that this process may use, or of all where the system tells no more.
    @inline(never)  // twice its code, for once a second, is a page of the module
    private func readCPUs() -> CPUReading? {
        let usable = CPUSet.usable()
        return file(Path("stat"), limit: Self.roomForCPUs) { bytes in
            parseCPUTime(bytes, of: usable).map { CPUReading(cpus: usable, time: $0) }
                ?? parseCPUTime(bytes).map { CPUReading(cpus: nil, time: $0) }
        }
    }

    /// The idle share since the last reading; a span that is too short goes on, and one over other CPUs ends.
    private mutating func takeIdle(_ reading: CPUReading) {
        if let before = lastReading, before.cpus == reading.cpus {
            let time = reading.time
            let span = time.total.saturatingMinus(before.time.total)
            if time.total >= before.time.total, span < Self.shortestSpan { return }
            if let idle = time.idleShare(since: before.time) { last.idle = idle }
        }
        lastReading = reading
    }

    /// Bytes of memory that the process shares with no other; nil if it is gone.
    public func privateMemory(of process: Int32) -> UInt64? {
        file(name(process, "/statm"), parsePrivatePages).map { $0.saturatingTimes(csystem_page_size()) }
    }

    /// CPU time that the process and its ended children have used, microseconds; nil if it is gone.
    public func cpuTime(of process: Int32) -> UInt64? {
        file(name(process, "/stat"), parseProcessTicks).map {
            $0.saturatingTimes(1_000_000) / max(1, csystem_clock_ticks())
        }
    }

    /// Whether the process is stopped, as by SIGSTOP, or dead; nil if it is gone.
    public func isStopped(_ process: Int32) -> Bool? { file(name(process, "/stat"), parseProcessStopped) }

    /// Cores that may be used, in thousandths: the CPUs, if no control group gives less.
    public func usableCores(of cpus: Int32) -> UInt32 {
        let all = UInt32(max(cpus, 0)) &* 1000
        guard let limit = group.limit else { return all }
        return all == 0 ? limit : min(all, limit)
    }

    /// Of a file of the process in the directory.
    private func name(_ process: Int32, _ file: StaticString) -> Path {
        var name = Message()
        name.add(Int(process))
        name.add(file)
        return Path(name)
    }

    private func file<Figure>(
        _ name: Path, limit: Int = roomForFile, _ parse: (UnsafeBufferPointer<UInt8>) -> Figure?
    ) -> Figure? {
        do throws(SystemError) {
            let fd = try name.withCString { name throws(SystemError) in
                try checked { csystem_open_at(directory, name, O_RDONLY | O_CLOEXEC, 0) }
            }
            defer { _ = CSystem.close(fd) }
            return try read(fd, limit: limit).withUnsafeBufferPointer(parse)
        } catch {
            return nil
        }
    }
}

/// What the CPUs had done at one moment.
private struct CPUReading {
    /// Whose time it is; nil: that of all.
    let cpus: CPUSet?
    let time: CPUTime
}
