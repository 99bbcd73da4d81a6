// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandSystem

/// The moderator gives a client five seconds; one more is for the way.
private let patience: UInt64 = 6000

/// A full table has 3 MB.
private let mostBytes = 16 << 20

/// Milliseconds after which a missing socket is looked for once more: a graceful restart replaces it, which takes a
/// few.
let restartPause: UInt32 = 200

/// Sends a line to the moderator and returns all that it answers.
func ask(_ path: String, _ line: String) throws -> [UInt8] {
    let socket: StreamSocket
    do {
        socket = try connect(path)
    } catch {
        throw complaint(about: path, error)
    }
    defer { socket.close() }
    do throws(SystemError) {
        // A line fits into any socket's buffer.
        _ = try Array(line.utf8).withUnsafeBufferPointer { line throws(SystemError) in
            try socket.send(UnsafeRawBufferPointer(line))
        }
    } catch {
        throw brokenOff(path, error)
    }
    do {
        if let answer = try readAll(socket, from: path) { return answer }
    } catch let error as SystemError {
        throw brokenOff(path, error)
    }
    throw Complaint("\(path) does not answer")
}

private func brokenOff(_ path: String, _ error: SystemError) -> Complaint {
    Complaint("the conversation with \(path) broke off: \(error.text)")
}

/// Connected; where no moderator listens, httpd may just be restarting, so that is tried twice.
private func connect(_ path: String) throws(SystemError) -> StreamSocket {
    do throws(SystemError) {
        return try StreamSocket(connectingTo: Path(path))
    } catch {
        guard error == .missing || error == .refused else { throw error }
        pause(milliseconds: restartPause)
        return try StreamSocket(connectingTo: Path(path))
    }
}

/// Everything until the moderator closes; nil if it takes too long.
private func readAll(_ socket: StreamSocket, from path: String) throws -> [UInt8]? {
    let deadline = monotonicMilliseconds() + patience
    var answer: [UInt8] = []
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 1)
    defer { room.deallocate() }
    var readiness = Readiness()
    readiness.add(socket.fd, reading: true, writing: false)
    while true {
        let now = monotonicMilliseconds()
        guard now < deadline else { return nil }
        readiness.wait(milliseconds: Int(deadline - now))
        guard let count = try receive(socket, into: room) else { continue }
        guard count > 0 else { return answer }
        guard answer.count + count <= mostBytes else {
            throw Complaint("\(path) answers with more than \(mostBytes >> 20) MB: it is not a moderator's")
        }
        answer += room[..<count]
    }
}

/// What is there; nil if nothing is yet.
private func receive(_ socket: StreamSocket, into room: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int? {
    do throws(SystemError) {
        return try socket.receive(into: room)
    } catch {
        guard error.isLater else { throw error }
        return nil
    }
}

/// systemd gives a service with PrivateTmp, as Debian's apache2 has it, folders of its own in these places.
private func hiddenTemporary(_ path: String) -> String {
    guard path.hasPrefix("/tmp/") || path.hasPrefix("/var/tmp/") else { return "" }
    return
        " If systemd starts httpd with PrivateTmp, other programs do not see what it has below /tmp and /var/tmp: "
        + "choose another UnixSocketDir, such as "
        + SocketChoice.directory
}

private func complaint(about path: String, _ error: SystemError) -> Complaint {
    switch error {
    case .missing:
        Complaint(
            "there is no socket \(path): is httpd running, and is this its UnixSocketDir? If its moderator cannot "
                + "start, its error log has a line with "
                + "BH0201 to BH0208." + hiddenTemporary(path))
    case .refused:
        Complaint("no process answers at \(path): the httpd that made it is gone")
    case .denied:
        Complaint("you may not use \(path): \(whoMay(path))")
    default:
        Complaint("cannot connect to \(path): \(error.text)")
    }
}
