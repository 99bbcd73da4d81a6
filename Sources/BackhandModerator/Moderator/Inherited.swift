// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem

/// Closes each descriptor that a moderator does not need.
///
/// It parses what strangers send: it must not hold the listening sockets, other logs or what else modules have opened.
/// - Parameter log: that of the error log.
public func closeDescriptors(_ config: bh_moderator_config_t, _ held: HeldSockets?, log: Int32) {
    let queues = config.queues.flatMap { $0.pointee.open ? bh_queues_ends($0) : nil }
    closeDescriptors { fd in
        if let queues {
            for index in 0..<2 * Int(BH_POOLS) where queues[index] == fd { return true }
        }
        return fd <= 2 || fd == log || fd == config.control_fd || held?.have(fd) == true
    }
}
