// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What is to be done so that the open sockets become those of a plan: a value, for ``Sockets`` to carry out in this
/// order.
struct NetworkChange: Equatable {
    /// A membership of an open listener.
    struct Member: Equatable {
        /// The listener's place among the open ones.
        var listener: Int
        var interface: Membership
    }

    /// Groups to leave: before others are joined, because an interface may have come back under its number.
    var leave: [Member] = []
    /// Places of the open listeners and senders that no route needs any more.
    var closeListeners: [Int] = []
    var closeSenders: [Int] = []
    var join: [Member] = []
    /// Those to open; their groups are all to be joined.
    var openListeners: [ListeningAddress] = []
    var openSenders: [Route] = []

    /// Whether what another moderator would take over is different from now on.
    var concernsListeners: Bool {
        !(leave.isEmpty && join.isEmpty && closeListeners.isEmpty && openListeners.isEmpty)
    }

    /// - Parameters:
    ///   - listeners: the open ones, with the groups that they have joined.
    ///   - senders: the routes of the open ones.
    init(listeners: [ListeningAddress], senders: [Route], plan: NetworkPlan) {
        for (place, open) in listeners.enumerated() {
            guard let wanted = plan.listeners.first(where: { $0.isSame(as: open) }) else {
                closeListeners.append(place)
                continue
            }
            // A socket that is kept keeps what waits in it, and the buffer that it was given.
            leave += open.interfaces.filter { !wanted.interfaces.contains($0) }.map {
                Member(listener: place, interface: $0)
            }
            join += wanted.interfaces.filter { !open.interfaces.contains($0) }.map {
                Member(listener: place, interface: $0)
            }
        }
        openListeners = plan.listeners.filter { wanted in !listeners.contains { $0.isSame(as: wanted) } }
        closeSenders = senders.indices.filter { !plan.routes.contains(senders[$0]) }
        openSenders = plan.routes.filter { !senders.contains($0) }
    }
}
