// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Whose an entry of the file system is, and who may change it. Of a link itself, not of what it names.
public struct FileAttributes: Equatable, Sendable {
    /// Its owner's user id.
    public var user: UInt32
    /// Its group's id.
    public var group: UInt32
    /// As `st_mode`.
    public var mode: UInt32
    /// Whether an access control list adds to the mode.
    public var hasAccessList: Bool

    /// These.
    public init(user: UInt32, group: UInt32, mode: UInt32, hasAccessList: Bool = false) {
        (self.user, self.group, self.mode, self.hasAccessList) = (user, group, mode, hasAccessList)
    }

    /// Those of the path, which ends with a NUL; nil if there is nothing (`lstat`, `lgetxattr`).
    public init?(of path: [UInt8]) {
        guard
            let found = path.withUnsafeBytes({ FileAttributes(at: $0.assumingMemoryBound(to: CChar.self).baseAddress!) }
            )
        else { return nil }
        self = found
    }

    private init?(at path: UnsafePointer<CChar>) {
        var info = stat()
        guard lstat(path, &info) == 0 else { return nil }
        (user, group, mode) = (info.st_uid, info.st_gid, UInt32(info.st_mode))
        hasAccessList = lgetxattr(path, "system.posix_acl_access", nil, 0) > 0
    }

    /// The same.
    public init?(of path: Path) {
        guard let found = path.withCString({ FileAttributes(at: $0) }) else { return nil }
        self = found
    }

    /// Whether it is a symbolic link.
    public var isLink: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFLNK) }

    /// Whether in this folder everyone may only change what is theirs.
    public var isSticky: Bool { mode & 0o1000 != 0 }

    /// Whether others than root may make something new in it. What an access control list allows shows as the group's
    /// rights.
    public var isShared: Bool {
        if isLink { return false }
        if mode & 0o002 != 0 { return true }
        return mode & 0o020 != 0 && (group != 0 || hasAccessList)
    }
}

/// Whether there is a file with this name, of any kind but a folder. Follows symbolic links: one that leads nowhere is
/// no file (`stat`).
public func hasFile(_ path: Path) throws(SystemError) -> Bool {
    var info = stat()
    do throws(SystemError) {
        try path.withCString { path throws(SystemError) in _ = try checked { stat(path, &info) } }
    } catch {
        guard error == .missing else { throw error }
        return false
    }
    guard Int32(bitPattern: info.st_mode) & S_IFMT != S_IFDIR else { throw .isFolder }
    return true
}

/// What a symbolic link names, whose path ends with a NUL; nil: it is none (`readlink`).
public func linkTarget(_ path: [UInt8]) -> [UInt8]? {
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(PATH_MAX)) { room, count in
        let (to, size) = (UnsafeMutableRawBufferPointer(room), room.count)
        count = path.withUnsafeBytes { path in
            max(
                readlink(
                    path.assumingMemoryBound(to: CChar.self).baseAddress!,
                    to.assumingMemoryBound(to: CChar.self).baseAddress!, size), 0)
        }
    }
    return bytes.isEmpty || bytes.count == Int(PATH_MAX) ? nil : bytes
}

/// Takes the entry away, if there is one (`unlink`).
public func remove(_ path: Path) {
    _ = path.withCString { unlink($0) }
}

/// Gives the entry to a group; of a link itself, not of what it names (`lchown`).
public func give(_ path: Path, toGroup group: UInt32) throws(SystemError) {
    try path.withCString { path throws(SystemError) in _ = try checked { lchown(path, .max, group) } }
}
