// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// What can be seen of the servers without their help: their connections. The kernel is asked at most about once a
/// second for each.
struct ServerWatch {
    /// Milliseconds for which an answer is good: a round of announcements less the time that one may take.
    private static var lifetime: UInt64 { 900 }

    private var seen: [(connections: Connections?, at: UInt64)] = []

    /// The server's connections; nil: the kernel does not tell.
    mutating func connections(
        of number: Int, _ server: AnnouncedServer, countsOpen: Bool, now: UInt64
    ) -> Connections? {
        while seen.count <= number { seen.append((nil, 0)) }
        let isLast = stopSignal() != nil
        if seen[number].at != 0, isLast || now < seen[number].at &+ Self.lifetime { return seen[number].connections }
        seen[number] = (count(server, countsOpen), max(now, 1))
        return seen[number].connections
    }

    private func count(_ server: AnnouncedServer, _ countsOpen: Bool) -> Connections? {
        guard let address = server.address.ipv4 else { return nil }
        do throws(SystemError) {
            return try Connections(toIPv4: address, port: server.port, countsOpen: countsOpen)
        } catch {
            return nil
        }
    }
}

extension ServerValues {
    /// How many of the server's workers are idle.
    ///
    /// A worker that holds an idle connection is not. Where a connection waits to be accepted, none is. Else nothing
    /// says that one is busy.
    func idleWorkers(of workers: UInt32, _ connections: Connections?) -> UInt32 {
        guard let connections else { return workers }
        if idleHoldsWorker == true { return workers - min(workers, connections.open) }
        return connections.waiting > 0 ? 0 : workers
    }
}
