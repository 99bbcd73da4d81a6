// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem

/// The control socket and its clients. Nothing here waits: it takes part in the moderator's own wait.
struct ControlServer {
    /// Administrators' tools, a few at once; the others wait in the socket's queue.
    static var clientLimit: Int { 16 }
    /// Most bytes written to one client between two looks at the clock.
    private static var pieceLimit: Int { 1 << 16 }

    private struct Client {
        let socket: StreamSocket
        var conversation: ControlConversation
        /// Its place in the last wait.
        var place = -1
    }

    private let listener: StreamSocket?
    private var listenerPlace = -1
    /// No client is accepted before: there may be no descriptor left, and the listener would stay ready all the time.
    private var closedUntil: UInt64 = 0
    private var clients: [Client] = []

    /// - Parameter fd: a listening socket, which stays its maker's to close; negative: none.
    init(fd: Int32) throws(SystemError) {
        listener = fd >= 0 ? StreamSocket(fd: fd) : nil
        try listener?.setNonblocking()
    }

    func close() {
        for client in clients { client.socket.close() }
    }

    /// Says what to wait for. At the limit, no client is accepted.
    mutating func prepare(_ readiness: inout Readiness, now: UInt64) {
        listenerPlace = -1
        if let listener, clients.count < Self.clientLimit, now >= closedUntil {
            listenerPlace = readiness.add(listener.fd, reading: true, writing: false)
        }
        for index in clients.indices {
            let writes = clients[index].conversation.step == .write
            clients[index].place = readiness.add(clients[index].socket.fd, reading: !writes, writing: writes)
        }
    }

    /// Milliseconds until the first client times out; nil without clients.
    func wait(now: UInt64) -> UInt64? {
        var soonest: UInt64?
        for client in clients {
            let deadline = client.conversation.deadline
            let left = deadline > now ? deadline - now : 0
            soonest = min(soonest ?? left, left)
        }
        return soonest
    }

    /// Does what is possible now. Throws what `accept` says if no client can be let in, after the others were served.
    mutating func serve(
        _ readiness: Readiness, now: UInt64, answer: (ControlRequest, [UInt8]) -> [UInt8]
    ) throws(SystemError) {
        for index in clients.indices {
            serve(&clients[index], readiness, now: now, answer: answer)
        }
        clients.removeAll { client in
            guard client.conversation.step == .close else { return false }
            client.socket.close()
            return true
        }
        if let listener, listenerPlace >= 0, readiness.isReadable(listenerPlace) {
            do throws(SystemError) {
                clients.append(Client(socket: try listener.accept(), conversation: ControlConversation(now: now)))
            } catch {
                if error.isLater { return }
                closedUntil = now &+ 1000
                throw error
            }
        }
    }

    private func serve(
        _ client: inout Client, _ readiness: Readiness, now: UInt64, answer: (ControlRequest, [UInt8]) -> [UInt8]
    ) {
        client.conversation.check(now: now)
        guard client.place >= 0 else { return }
        if client.conversation.step == .read, readiness.isReadable(client.place) { read(&client) }
        if case .answer(let request) = client.conversation.step {
            client.conversation.answer(answer(request, client.conversation.line))
        }
        if client.conversation.step == .write { write(&client) }
    }

    private func read(_ client: inout Client) {
        do throws(SystemError) {
            client.conversation.receive(try client.socket.receive(most: ControlConversation.lineLimit))
        } catch {
            if !error.isLater { client.conversation.fail() }
        }
    }

    private func write(_ client: inout Client) {
        do throws(SystemError) {
            let count = try client.conversation.withUnsent(limit: Self.pieceLimit) { bytes throws(SystemError) in
                try client.socket.send(bytes)
            }
            client.conversation.wrote(count)
        } catch {
            if !error.isLater { client.conversation.fail() }
        }
    }
}
