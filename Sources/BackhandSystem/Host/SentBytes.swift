// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// How much a server of this machine has sent over one connection, as the kernel counts it.
public struct SentBytes: Equatable, Sendable {
    /// The other end: its address and port, mixed.
    public var peer: UInt64
    /// Bytes that the other end has acknowledged; the largest number where the server has closed the connection.
    public var bytes: UInt64

    /// These.
    public init(peer: UInt64, bytes: UInt64) {
        (self.peer, self.bytes) = (peer, bytes)
    }

    /// Connections that are looked at, at most: of a busy server some of them show as much as all.
    private static var most: Int { 4096 }

    /// Those to this IPv4 address and port, in host byte order, by the other end (sock_diag). Connections from the same
    /// address are left out.
    public static func all(fromIPv4 address: UInt32, port: UInt16) throws(SystemError) -> [SentBytes] {
        var list = [csystem_sent](repeating: csystem_sent(), count: most)
        let count = Int(try checked { csystem_sent_bytes(address, port, &list, Int32(most)) })
        return list.prefix(count).map { SentBytes(peer: $0.peer, bytes: $0.bytes) }.sorted { $0.peer < $1.peer }
    }
}

extension [SentBytes] {
    /// Whether something was sent since. Both by their other ends. The handshake counts as one byte.
    public func hasGrown(since before: [SentBytes]) -> Bool {
        var place = 0
        for now in self {
            while place < before.count, before[place].peer < now.peer { place += 1 }
            let known = place < before.count && before[place].peer == now.peer ? before[place].bytes : 1
            if now.bytes > known { return true }
        }
        return false
    }
}
