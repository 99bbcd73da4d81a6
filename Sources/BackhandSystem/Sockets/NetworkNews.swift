// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Tells when interfaces, IPv4 addresses or routes of this machine come, change or go (rtnetlink). The opener closes
/// it.
public struct NetworkNews: Sendable {
    /// What has happened since the last look.
    public struct Change: Equatable, Sendable {
        /// Addresses that were taken from an interface, as often as that happened; they may be back.
        public var gone: [UInt32]
        /// Whether the kernel had more to tell than it keeps: anything may have happened.
        public var incomplete: Bool

        /// A change; without arguments one of interfaces or routes alone.
        public init(gone: [UInt32] = [], incomplete: Bool = false) {
            self.gone = gone
            self.incomplete = incomplete
        }
    }

    /// The netlink socket, to wait for.
    public let fd: Int32

    /// Opens a netlink socket that hears of interfaces, addresses and routes.
    public init() throws(SystemError) {
        fd = try checked { csystem_netlink_open() }
    }

    /// Closes the socket.
    public func close() {
        _ = CSystem.close(fd)
    }

    /// Reads what waits; nil if nothing does.
    public func read() -> Change? {
        var news = csystem_netlink_news_t()
        csystem_netlink_read(fd, &news)
        guard news.changed else { return nil }
        let gone = withUnsafeBytes(of: news.gone) { Array($0.bindMemory(to: UInt32.self).prefix(Int(news.count))) }
        return Change(gone: gone, incomplete: news.incomplete)
    }
}
