// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats

/// Logs what is missing in the configuration, what does nothing, and what is allowed but leaves a server alone in its
/// cluster.
public func adviseOnConfiguration(_ advice: bh_advice_t) {
    let servers = UnsafeBufferPointer(start: advice.servers, count: advice.server_count)
    guard let main = servers.first else { return }
    let log = Log(advice.log, main.server)
    var (announces, accepts) = (false, false)
    for server in servers where server.destination_count > 0 {
        announces = true
        if server.network_count > 0 {
            accepts = true
        } else {
            let log = Log(advice.log, server.server)
            log(
                BH_LOG_WARNING, LogNumber.acceptsNothing,
                "MulticastStats without AcceptStats: no announcement is accepted, this server stays alone")
        }
    }
    adviseOnGaps(advice, log, announces: announces, accepts: accepts)
    for server in servers { adviseOnAddresses(server, Log(advice.log, server.server)) }
    adviseOnCoveredChains(UnsafeBufferPointer(start: advice.lines, count: advice.line_count), log)
    guard !announces, let chain = advice.first_chain else { return }
    log(
        BH_LOG_WARNING, LogNumber.chainAlone,
        """
        the Backhand chain at {} has no server to choose from: there is no MulticastStats line, so that no other \
        server is heard
        """, .characters(chain))
}

private func adviseOnGaps(_ advice: bh_advice_t, _ log: Log, announces: Bool, accepts: Bool) {
    if announces, !advice.has_directory {
        log(
            BH_LOG_ERROR, LogNumber.noDirectory,
            """
            MulticastStats without UnixSocketDir: the moderator is not started, no request is sent to another server
            """)
    }
    if let prediction = advice.first_prediction {
        log(
            BH_LOG_WARNING, LogNumber.prediction, "addPrediction at {} does nothing: its lines may be removed",
            .characters(prediction))
    }
    if accepts, !advice.has_keys {
        log(
            BH_LOG_WARNING, LogNumber.noKey,
            """
            no BackhandKey: announcements of every host inside AcceptStats are accepted, and forged ones too; see \
            docs/threat-model.md
            """)
    }
    if advice.keys_optional {
        log(
            BH_LOG_WARNING, LogNumber.optionalKey,
            "BackhandKey is Optional: what is not signed is accepted as if there were no key")
    }
    if let shared = advice.first_shared {
        log(
            BH_LOG_WARNING, LogNumber.sharedByThreads,
            """
            BackhandConnectionPools Shared at {} means Auto here: only children of prefork, which have one thread, \
            have connections in common
            """, .characters(shared))
    }
}

private func adviseOnAddresses(_ server: bh_advised_t, _ log: Log) {
    let networks = UnsafeBufferPointer(start: server.networks, count: server.network_count)
    for line in UnsafeBufferPointer(start: server.destinations, count: server.destination_count)
    where line.own != bh_address_t() {
        if !isLocal(line.own) {
            log(
                BH_LOG_WARNING, LogNumber.addressAway,
                """
                MulticastStats announces {}, which is not an address of this machine now: nothing is announced there \
                until it is
                """, .address(line.own))
        }
        // Those that one address is told of may have other roles, and other lines.
        let isGroup = UInt32(truncatingIfNeeded: line.group.low) >> 28 == 0xe
        guard isGroup, !networks.isEmpty, !networks.contains(where: { $0.contains(line.own) }) else { continue }
        log(
            BH_LOG_WARNING, LogNumber.addressOutside,
            """
            MulticastStats announces {}, which is outside this server's own AcceptStats: servers with the same \
            AcceptStats lines drop these announcements
            """, .address(line.own))
    }
}
