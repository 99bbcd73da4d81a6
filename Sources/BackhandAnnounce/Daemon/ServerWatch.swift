// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem

/// What can be seen of the servers without their help: their connections. The kernel is asked at most about once a
/// second for each.
struct ServerWatch {
    /// Milliseconds for which an answer is good: a round of announcements less the time that one may take.
    private static var lifetime: UInt64 { 900 }

    /// Milliseconds for which a fresh answer is good: several checks of one server ask at the same time.
    private static var moment: UInt64 { 50 }

    /// What is known of one server, and when it was asked, in milliseconds; 0: not yet.
    private struct Known {
        var connections: Connections?
        var countedAt: UInt64 = 0
        var groups = GroupWatch()
        var use: GroupWatch.Use?
        var measuredAt: UInt64 = 0
        /// What was sent to each client when that was looked at last, and how often it had grown.
        var sent: [SentBytes] = []
        var grown: UInt64 = 1
        var lookedAt: UInt64 = 0
    }

    private var servers: [Known] = []

    private mutating func know(_ number: Int) {
        while servers.count <= number { servers.append(Known()) }
    }

    /// The server's connections without its own checks; nil: the kernel does not tell.
    ///
    /// - Parameters:
    ///   - checks: how many of its checks are under way.
    ///   - isFresh: as they are now, and not a second ago.
    mutating func connections(
        of number: Int, _ server: AnnouncedServer, checks: UInt32, now: UInt64, isFresh: Bool = false
    ) -> Connections? {
        know(number)
        let (at, isLast) = (servers[number].countedAt, stopSignal() != nil)
        let lifetime = isFresh ? Self.moment : Self.lifetime
        if at == 0 || (!isLast && now >= at &+ lifetime) {
            servers[number].connections = count(server, checks)
            servers[number].countedAt = max(now, 1)
        }
        return servers[number].connections
    }

    /// What the server's control groups use; nil: it is not known.
    ///
    /// - Parameter names: as the configuration has them.
    mutating func groups(of number: Int, named names: [[UInt8]], listening: UInt64, now: UInt64) -> GroupWatch.Use? {
        know(number)
        let at = servers[number].measuredAt
        if at == 0 || now >= at &+ Self.lifetime {
            servers[number].use = servers[number].groups.look(
                named: names, listening: listening, now: monotonicNanoseconds() / 1000)
            servers[number].measuredAt = max(now, 1)
        }
        return servers[number].use
    }

    /// A number that grows with each call between which and the last the server has sent something to a client.
    ///
    /// Never 0. To clients of other addresses: checks have the server's own.
    mutating func completed(by number: Int, _ server: AnnouncedServer, now: UInt64) -> UInt64 {
        know(number)
        if let address = server.address.ipv4, now >= servers[number].lookedAt &+ Self.moment {
            servers[number].lookedAt = now
            do throws(SystemError) {
                let sent = try SentBytes.all(fromIPv4: address, port: server.port)
                if sent.hasGrown(since: servers[number].sent) { servers[number].grown &+= 1 }
                servers[number].sent = sent
            } catch {
                // The kernel does not tell: then a time-out is a failure.
            }
        }
        return servers[number].grown
    }

    private func count(_ server: AnnouncedServer, _ checks: UInt32) -> Connections? {
        guard let address = server.address.ipv4 else { return nil }
        do throws(SystemError) {
            return try Connections(toIPv4: address, port: server.port, checks: checks)
        } catch {
            return nil
        }
    }
}

extension ServerValues {
    /// Whether all workers may be at work: as many connections as workers, or some that wait to be accepted, be it a
    /// check. Without a number of workers they always may.
    func isFull(_ connections: Connections?) -> Bool {
        guard let connections, let workers else { return true }
        return connections.waiting + connections.waitingChecks > 0 || connections.open >= workers
    }

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
