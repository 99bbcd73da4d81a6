// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// What the configuration says of one server of this machine.
struct AnnouncedServer {
    /// Where it takes requests.
    var address: bh_address_t
    /// The same, 1...65535.
    var port: UInt16
    var values = ServerValues()

    func isAt(_ address: bh_address_t, _ port: UInt16) -> Bool {
        self.address.high == address.high && self.address.low == address.low && self.port == port
    }
}

/// What may stand in a section `<Server>`, and outside of all of them as a default. nil: not given.
struct ServerValues {
    /// How many requests it can serve at once.
    var workers: UInt32?
    /// In the unit of bh_facts_t.
    var capacity: UInt32?
    /// Whether an idle connection that is kept holds a worker.
    var idleHoldsWorker: Bool?
    /// Seconds for which it waits for the next request on a connection.
    var keepAliveTimeout: UInt32?
    /// Names of the control groups in which its processes run; empty: not given.
    var groups: [[UInt8]] = []
    /// The words of each BackhandCheck, each word with its NUL; empty: not given.
    var checks: [[UInt8]] = []

    /// These, and the others' where these say nothing.
    func over(_ defaults: ServerValues) -> ServerValues {
        ServerValues(
            workers: workers ?? defaults.workers, capacity: capacity ?? defaults.capacity,
            idleHoldsWorker: idleHoldsWorker ?? defaults.idleHoldsWorker,
            keepAliveTimeout: keepAliveTimeout ?? defaults.keepAliveTimeout,
            groups: groups.isEmpty ? defaults.groups : groups,
            checks: checks.isEmpty ? defaults.checks : checks)
    }
}
