// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CSystem

/// The control group that this process was in when it began, and how much CPU it lets its processes use.
///
/// Keeps the directory open: it is found again after a chroot, and a limit that changes is seen at the next look.
/// Version 2 where it controls the CPU, else version 1.
struct ControlGroup {
    private var directory: Int32 = -1
    private var version = 2
    /// Groups around it, whose limits hold as well.
    private var depth = 0

    private static var roomForFile: Int { 4096 }

    /// - Parameter process: the open directory /proc; below 0 if there is none.
    init(process: Int32) {
        guard process >= 0 else { return }
        if open(process, version: 2, at: "/sys/fs/cgroup") { return }
        _ = open(process, version: 1, at: "/sys/fs/cgroup/cpu")
    }

    /// False if the version has no group for the CPU.
    private mutating func open(_ process: Int32, version: Int, at mount: StaticString) -> Bool {
        guard let path = read(process, "self/cgroup", { parseGroupPath($0, version: version) }) else { return false }
        // The root of version 2 has no limits, but tells that it controls the CPU.
        let proof: StaticString = version == 2 ? "cgroup.controllers" : "cpu.cfs_quota_us"
        let fd = Path(mount).extended(by: path).withCString { csystem_open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
        guard fd >= 0 else { return false }
        guard read(fd, proof, { _ in true }) != nil else {
            _ = CSystem.close(fd)
            return false
        }
        directory = fd
        self.version = version
        depth = min(16, path.bytes.reduce(0) { $0 + ($1 == UInt8(ascii: "/") ? 1 : 0) })
        return true
    }

    func close() {
        if directory >= 0 { _ = CSystem.close(directory) }
    }

    /// The least limit of the group and those around it, thousandths of a core; nil if there is none.
    var limit: UInt32? {
        guard directory >= 0 else { return nil }
        var least: UInt32?
        for above in 0...depth {
            if let limit = limit(above) { least = min(least ?? limit, limit) }
        }
        return least
    }

    private func limit(_ above: Int) -> UInt32? {
        if version == 2 { return read(directory, "cpu.max", above: above, { parseCPULimit($0) }) ?? nil }
        return read(directory, "cpu.cfs_quota_us", above: above) { quota in
            read(directory, "cpu.cfs_period_us", above: above) { parseCPULimit(quota: quota, period: $0) } ?? nil
        } ?? nil
    }

    private func read<Figure>(
        _ directory: Int32, _ name: StaticString, above: Int = 0, _ parse: (UnsafeBufferPointer<UInt8>) -> Figure?
    ) -> Figure? {
        do throws(SystemError) {
            let fd = try Path(name, above: above).withCString { name throws(SystemError) in
                try checked { csystem_open_at(directory, name, O_RDONLY | O_CLOEXEC, 0) }
            }
            defer { _ = CSystem.close(fd) }
            return try BackhandSystem.read(fd, limit: Self.roomForFile).withUnsafeBufferPointer(parse)
        } catch {
            return nil
        }
    }
}
