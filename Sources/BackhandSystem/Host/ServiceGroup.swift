// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CSystem

/// A control group (version 2) of this machine in which a server runs, and what its processes use together.
///
/// It needs no rights: the files of all groups can be read by everyone.
public struct ServiceGroup {
    private let path: Path
    /// Groups around it, whose limits hold as well.
    private let depth: Int

    private static var roomForPath: Int { 1024 }
    private static var roomForFile: Int { 4096 }

    /// The group with the number; nil: it is not found, or it is the root, which has all processes of the machine.
    public init?(number: UInt64) {
        guard number != 0, let mount = Self.mount else { return nil }
        let path = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.roomForPath) { room -> Path? in
            guard let start = room.baseAddress else { return nil }
            let isThere = mount.withCString { csystem_group_find($0, number, start, room.count) }
            return isThere ? Path(cString: start) : nil
        }
        guard let path else { return nil }
        self.init(path, below: mount)
    }

    /// The group with the name: of a unit of systemd, as nginx.service, or its path.
    public init?(named name: [UInt8]) {
        guard let mount = Self.mount else { return nil }
        let isPath = name.contains(UInt8(ascii: "/"))
        self.init(mount.extended(by: isPath ? "/" : "/system.slice/").extended(by: Message(name)), below: mount)
    }

    init?(_ path: Path, below mount: Path) {
        self.path = path
        let rest = path.message.bytes.dropFirst(mount.message.bytes.count)
        depth = min(16, rest.split(separator: UInt8(ascii: "/")).count)
        // The root has no such file.
        guard depth > 0, FileAttributes(of: path.appending("cgroup.type")) != nil else { return nil }
    }

    private static var mount: Path? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: roomForPath) { room in
            guard let start = room.baseAddress, csystem_group_mount(start, room.count) else { return nil }
            return Path(cString: start)
        }
    }

    /// Microseconds of CPU that its processes have used so far; nil: the group is gone, or the system does not tell.
    public var cpuTime: UInt64? {
        read(path.appending("cpu.stat")) { bytes in
            var scanner = Scanner(bytes)
            while !scanner.isAtEnd {
                if scanner.take(word: "usage_usec") {
                    scanner.skipBlanks()
                    return scanner.number()
                }
                _ = scanner.skipLine()
            }
            return nil
        }
    }

    /// The least limit of the group and those around it, thousandths of a core; nil: there is none.
    public var limit: UInt32? {
        var least: UInt32?
        var path = self.path
        for _ in 0..<depth {
            if let limit = read(path.appending("cpu.max"), { parseCPULimit($0) }) { least = min(least ?? limit, limit) }
            path = path.extended(by: "/..")
        }
        return least
    }

    private func read<Figure>(_ path: Path, _ parse: (UnsafeBufferPointer<UInt8>) -> Figure?) -> Figure? {
        do throws(SystemError) {
            return try readSmallFile(path, limit: Self.roomForFile).withUnsafeBufferPointer(parse)
        } catch {
            return nil
        }
    }
}
