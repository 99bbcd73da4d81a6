// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandModerator
internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// The control socket, where backhandctl looks for it.
struct ControlListener {
    /// Clients that may wait.
    private static var waiting: Int32 { 16 }
    private static var ending: StaticString { ".sock" }

    private let path: Message
    private let socket: StreamSocket

    var fd: Int32 { socket.fd }

    /// Whether it is where this configuration has it.
    func isFor(_ configuration: AnnounceConfiguration) -> Bool {
        path.bytes == configuration.path(Self.ending).bytes
    }

    /// Binds it, and replaces one that no process has any more.
    init(_ configuration: AnnounceConfiguration) throws(ConfigurationError) {
        let path = configuration.path(Self.ending)
        self.path = path
        do throws(SystemError) {
            socket = try StreamSocket()
            let failure = bindControlSocket(socket.fd, group: .max, at: path)
            guard failure == 0 else { throw SystemError(code: failure) }
            try socket.listen(Self.waiting)
        } catch {
            var message = Message("cannot bind the control socket ")
            message.add(path)
            message.add(": ")
            message.add(error == .addressInUse ? Message("another process uses it") : error.message)
            throw message.error
        }
    }

    func close() {
        // In this order: a new process may bind the path as soon as nothing answers there.
        remove(Path(path))
        socket.close()
    }
}

private func bindControlSocket(_ fd: Int32, group: UInt32, at path: Message) -> Int32 {
    (path.bytes + [0]).withUnsafeBytes { bytes in
        bindControlSocket(
            fd, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), group: group, bh_rights_t())
    }
}
