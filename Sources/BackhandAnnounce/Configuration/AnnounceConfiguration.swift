// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText

/// All that the configuration says.
struct AnnounceConfiguration {
    /// Whether nothing is announced: then there are no servers.
    var listensOnly = false
    /// Every server; the first one is this machine's row 0.
    var servers: [AnnouncedServer] = []
    /// Lines of MulticastStats; those without an own address are for all servers.
    var destinations: [bh_destination_t] = []
    var accepted: [bh_network_t] = []
    /// UnixSocketDir, absolute.
    var directory = Message("/var/lib/backhand")
    /// The announced name; nil: that of the machine.
    var hostname: Message?
    /// BackhandKey: as given, and its path; nil: nothing is signed.
    var key: (given: [UInt8], path: Message, isOptional: Bool)?
    /// BackhandDrainFile, absolute; nil: there is none.
    var drainFile: Message?
    /// BackhandSocketGroup; nil: that of this process.
    var socketGroup: UInt32?
    /// BackhandExpire, seconds; as httpd has it.
    var expire: UInt32 = 3600
    /// What holds for servers that do not say it.
    var defaults = ServerValues()

    /// The server's place in the list; it is added if it is new.
    mutating func place(of address: bh_address_t, _ port: UInt16) -> Int {
        if let place = servers.firstIndex(where: { $0.isAt(address, port) }) { return place }
        servers.append(AnnouncedServer(address: address, port: port))
        return servers.count - 1
    }

    /// What the moderator announces where: each line with an own address for its server, the others for every server;
    /// nothing twice.
    var routes: [bh_destination_t] {
        guard !listensOnly else { return destinations }
        var routes: [bh_destination_t] = []
        for (number, server) in servers.enumerated() {
            for line in destinations {
                if line.own_port != 0, !server.isAt(line.own, line.own_port) { continue }
                var route = line
                route.own = server.address
                route.own_port = server.port
                route.vhost = UInt16(number)
                let isThere = routes.contains {
                    $0.vhost == route.vhost && $0.group == route.group && $0.port == route.port
                }
                if !isThere { routes.append(route) }
            }
        }
        return routes
    }

    /// Where balancers would find what is not announced: a port at which no server is.
    private static var noPort: UInt16 { 9 }

    /// The port of the first server.
    var port: UInt16 { servers.first?.port ?? Self.noPort }

    /// A file in UnixSocketDir; two programs of one folder have different first servers, and so different files.
    func path(_ ending: StaticString) -> Message {
        var path = directory
        path.add("/backhand-")
        if listensOnly { path.add("listen") } else { path.add(Int(servers[0].port)) }
        path.add(ending)
        return path
    }

    /// What the server's values are.
    func values(of number: UInt16) -> ServerValues {
        Int(number) < servers.count ? servers[Int(number)].values.over(defaults) : defaults
    }
}
