// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
public import BackhandSystem
internal import BackhandText

extension bh_rights_t {
    func run(group: UInt32? = nil, _ act: () -> Int32) -> Int32 {
        withRights(user: user, group: self.group, name: name, working: group, act)
    }
}

/// Clients of a control socket that may wait: administrators' tools, a few at once.
private let waitingClients = Int32(16)

/// Added to an errno, which has seven bits, if it is about the group.
private let aboutGroup = Int32(0x80)

/// Why there is no control socket.
public struct ControlSocketError: Error {
    /// An errno; EADDRINUSE: another process has it.
    public let code: Int32
    /// What could not be done with the socket: "bind".
    public let doing: StaticString
}

/// Makes the control socket, which listens, with these rights.
///
/// A socket that no process has any more is replaced.
///
/// - Parameter group: UInt32.max: as it is made.
public func openControlSocket(
    _ path: Path, group: UInt32, _ rights: bh_rights_t
) throws(ControlSocketError) -> StreamSocket {
    var doing: StaticString = "make"
    do throws(SystemError) {
        let socket = try StreamSocket()
        do throws(SystemError) {
            let code = rights.run(group: group == .max ? nil : group) {
                bindControlSocket(socket.fd, path, group: group)
            }
            doing = code & aboutGroup != 0 ? "hand over" : "bind"
            if code != 0 { throw SystemError(code: code & ~aboutGroup) }
            doing = "listen on"
            try socket.listen(waitingClients)
            return socket
        } catch {
            socket.close()
            throw error
        }
    } catch {
        throw ControlSocketError(code: error.code, doing: doing)
    }
}

/// Takes a file away with these rights.
public func removeFile(_ path: UnsafePointer<CChar>, _ rights: bh_rights_t) {
    _ = rights.run {
        remove(Path(cString: path))
        return 0
    }
}

/// Binds it, with the owner, group and mode that it is to have from the beginning.
///
/// No other user may be root's peer by accident: where httpd was not started as root, it stays as it is made, except
/// for the group.
private func bindControlSocket(_ fd: Int32, _ path: Path, group: UInt32) -> Int32 {
    guard !isAnswered(path) else { return SystemError.addressInUse.code }
    // Left by an httpd that was killed: no process answered.
    remove(path)
    do throws(SystemError) {
        try StreamSocket(fd: fd).bind(to: path, withoutRights: 0o117)
    } catch {
        return error.code & ~aboutGroup
    }
    do throws(SystemError) {
        // Not superfluous: a folder may give its own group to what is made in it.
        if group != .max { try give(path, toGroup: group) }
    } catch {
        return error.code | aboutGroup
    }
    return 0
}

/// Whether a process answers at the path, or one of another user may: then the path belongs to another httpd.
private func isAnswered(_ path: Path) -> Bool {
    do throws(SystemError) {
        let socket = try StreamSocket(connectingTo: path, waits: false)
        defer { socket.close() }
        // A daemon that outlived a killed httpd may hold its socket.
        return socket.peerLives
    } catch {
        // That it is denied may also be said of the folder.
        return error.isLater || (error == .denied && FileAttributes(of: path) != nil)
    }
}

/// Puts a file in the place of another, with the rights of the user that could change what its path means. Returns 0 or
/// an errno.
public func replaceFile(_ path: UnsafePointer<CChar>, _ text: UnsafePointer<CChar>, children: bh_rights_t) -> Int32 {
    rightsOfPath(path, children: children).run {
        do throws(SystemError) {
            try replaceFile(Array(Word(text).bytes), at: Path(cString: path), mode: 0o644)
            return 0
        } catch {
            return error.code
        }
    }
}
