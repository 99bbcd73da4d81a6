// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
internal import CSystem

/// A file that is open, and that only its owner may use. What opens it closes it.
public struct SecretFile {
    /// Two keys and some comments.
    private static var largest: Int { 4096 }

    private let fd: Int32

    /// Opens it (`open`). O_NONBLOCK: not to wait at a pipe.
    public init(_ path: UnsafePointer<CChar>) throws(SystemError) {
        fd = try checked { csystem_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0) }
    }

    /// Closes it (`close`).
    public func close() { _ = CSystem.close(fd) }

    /// Lends what it holds, in memory that is wiped afterwards (`fstat`, `read`).
    public func read(_ body: (Word) throws(ConfigurationError) -> Void) throws(ConfigurationError) {
        try checkAccess()
        let failure = withUnsafeTemporaryAllocation(byteCount: Self.largest, alignment: 1) { room in
            defer { if let start = room.baseAddress { explicit_bzero(start, room.count) } }
            do throws(SystemError) {
                let text = UnsafeRawBufferPointer(rebasing: room[..<(try BackhandSystem.read(fd, into: room))])
                do throws(ConfigurationError) {
                    try body(Word(text.assumingMemoryBound(to: UInt8.self)))
                    return ConfigurationError?.none
                } catch {
                    return error
                }
            } catch {
                return ConfigurationError(error.message)
            }
        }
        if let failure { throw failure }
    }

    /// What can read the file has the key; what can write it gives all programs another.
    private func checkAccess() throws(ConfigurationError) {
        var info = stat()
        guard fstat(fd, &info) == 0 else { throw ConfigurationError(SystemError.last.message) }
        let mode = UInt32(info.st_mode)
        guard mode & UInt32(S_IFMT) == UInt32(S_IFREG) else { throw Message("it is not a regular file").error }
        // systemd hands over a credential as root's, with an access control list for the one user that may read it,
        // which shows as the rights of root's group.
        let isCredential = mode & 0o777 == 0o440 && info.st_uid == 0 && info.st_gid == 0
        guard mode & 0o77 == 0 || isCredential else {
            var message = Message("others than its owner may use it (mode ")
            for shift: UInt32 in [9, 6, 3, 0] { message.add(UInt64(mode >> shift & 7)) }
            message.add("): chmod 600 it")
            throw message.error
        }
        guard info.st_uid == 0 || info.st_uid == geteuid() else {
            throw Message("it belongs neither to root nor to the user that starts httpd").error
        }
        guard info.st_size <= Self.largest else { throw Message("it is larger than 4096 bytes").error }
    }
}

/// Whether there is a file or a folder with this name (`stat`).
public func exists(_ path: UnsafePointer<CChar>) -> Bool {
    var info = stat()
    return stat(path, &info) == 0
}
