// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandModerator
internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// The control socket, where backhandctl looks for it.
struct ControlListener {
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
        do throws(ControlSocketError) {
            socket = try openControlSocket(Path(path), group: configuration.socketGroup ?? .max, bh_rights_t())
        } catch {
            let why = SystemError(code: error.code)
            throw cannot(error.doing, path, why == .addressInUse ? Message("another process uses it") : why.message)
        }
    }

    /// The group may be another one after a reload.
    func handOver(_ configuration: AnnounceConfiguration) throws(ConfigurationError) {
        guard let group = configuration.socketGroup else { return }
        do throws(SystemError) {
            try give(Path(path), toGroup: group)
        } catch {
            throw cannot("hand over", path, error.message)
        }
    }

    func close() {
        // In this order: a new process may bind the path as soon as nothing answers there.
        remove(Path(path))
        socket.close()
    }
}

private func cannot(_ act: StaticString, _ path: Message, _ why: Message) -> ConfigurationError {
    var message = Message("cannot ")
    message.add(act)
    message.add(" the control socket ")
    message.add(path)
    message.add(": ")
    message.add(why)
    return message.error
}
