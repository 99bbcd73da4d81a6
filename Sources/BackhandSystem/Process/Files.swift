// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
internal import CSystem

/// The first bytes of a regular file, at most limit. Follows no symbolic link and never waits.
///
/// `open`, `fstat`, `read`. O_NONBLOCK: a pipe with that name must not stop the caller.
public func readSmallFile(_ path: Path, limit: Int) throws(SystemError) -> [UInt8] {
    try readRegularFile(path, flags: O_NOFOLLOW, limit: limit)
}

/// What a file holds that the administrator names; the name may be a link. Never waits.
///
/// - Parameter limit: bytes; a larger file is an error.
public func readFile(_ path: Path, limit: Int) throws(SystemError) -> [UInt8] {
    let bytes = try readRegularFile(path, flags: 0, limit: limit + 1)
    guard bytes.count <= limit else { throw .tooLarge }
    return bytes
}

private func readRegularFile(_ path: Path, flags: Int32, limit: Int) throws(SystemError) -> [UInt8] {
    let fd = try path.withCString { path throws(SystemError) in
        try checked { csystem_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags, 0) }
    }
    defer { close(fd) }
    var info = stat()
    try checked { fstat(fd, &info) }
    guard Int32(bitPattern: info.st_mode) & S_IFMT == S_IFREG else { throw .wrongKind }
    return try read(fd, limit: limit)
}

/// The files whose paths match, in the order of their names; the pattern may be a path without a wildcard (`glob`).
public func matches(of pattern: Path) -> [Path] {
    var found = glob_t()
    defer { globfree(&found) }
    guard pattern.withCString({ glob($0, 0, nil, &found) }) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { Path(cString: $0) } }
}

/// Reads until the end or until there are limit bytes (`read`).
func read(_ fd: Int32, limit: Int) throws(SystemError) -> [UInt8] {
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: limit) { room, count in
        count = 0
        guard let start = room.baseAddress else { return }
        do throws(SystemError) {
            count = try read(fd, into: UnsafeMutableRawBufferPointer(start: start, count: limit))
        } catch {
            failure = error
        }
    }
    if let failure { throw failure }
    return bytes
}

/// Reads until the end or until the room is full; returns how many bytes (`read`).
func read(_ fd: Int32, into room: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
    var count = 0
    while count < room.count {
        let got = try checked { CSystem.read(fd, room.baseAddress.map { $0 + count }, room.count - count) }
        if got == 0 { break }
        count += got
    }
    return count
}

/// Puts a file in the place of another, whole or not at all: readers see the old or the new contents.
///
/// `open` of a temporary name beside it, `write`, `rename`. Not synced to the disk: after a power failure the file may
/// be empty, so use it for what can be made again.
public func writeAtomically(_ bytes: [UInt8], to path: Path, mode: UInt32) throws(SystemError) {
    let temporary = path.extended(by: ".new")
    // What a killed predecessor left, or a link that an attacker planted.
    _ = temporary.withCString { unlink($0) }
    let fd = try temporary.withCString { path throws(SystemError) in
        try checked { csystem_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode) }
    }
    try put(bytes, into: fd, of: temporary, inPlaceOf: path)
}

/// The same for a folder in which others may make files: the temporary name cannot be foreseen, and neither it nor what
/// stands at the path is followed if it is a symbolic link (`mkostemp`, `fchmod`, `write`, `rename`).
public func replaceFile(_ bytes: [UInt8], at path: Path, mode: UInt32) throws(SystemError) {
    var temporary = path.extended(by: ".XXXXXX")
    let fd = try temporary.withMutableCString { path throws(SystemError) in try checked { csystem_temporary(path) } }
    try put(bytes, into: fd, of: temporary, inPlaceOf: path, mode: mode)
}

/// Fills the temporary file, closes it, and gives it the other's name, or takes it away if anything of this fails: some
/// file systems say only at the end that there was no room.
private func put(
    _ bytes: [UInt8], into fd: Int32, of temporary: Path, inPlaceOf path: Path, mode: UInt32? = nil
) throws(SystemError) {
    do throws(SystemError) {
        do throws(SystemError) {
            if let mode { try checked { fchmod(fd, mode) } }
            try write(bytes, to: fd)
        } catch {
            close(fd)
            throw error
        }
        // Not again when it was interrupted: the descriptor is free then, and may be another file's.
        guard close(fd) == 0 else { throw SystemError.last }
        try rename(temporary, path)
    } catch {
        _ = temporary.withCString { unlink($0) }
        throw error
    }
}

private func rename(_ old: Path, _ new: Path) throws(SystemError) {
    try old.withCString { from throws(SystemError) in
        _ = try new.withCString { to throws(SystemError) in try checked { CSystem.rename(from, to) } }
    }
}

/// Writes all of it to descriptor 1 (`write`).
public func writeToStandardOutput(_ bytes: [UInt8]) throws(SystemError) {
    try write(bytes, to: STDOUT_FILENO)
}

/// Writes to standard error what fits (`write`).
public func writeToStandardError(_ text: Message) {
    text.bytes.withUnsafeBytes { bytes in _ = bytes.baseAddress.map { write(STDERR_FILENO, $0, bytes.count) } }
}

/// `write` until all of it is written.
private func write(_ bytes: [UInt8], to fd: Int32) throws(SystemError) {
    var done = 0
    while done < bytes.count {
        let from = done
        done += try checked {
            bytes.withUnsafeBytes { write(fd, $0.baseAddress.map { $0 + from }, bytes.count - from) }
        }
    }
}
