// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText

/// Reads the file, then what the command line adds, and checks what only the whole can show.
func readConfiguration(_ arguments: ProgramArguments) throws(ConfigurationError) -> AnnounceConfiguration {
    let usual = Message(ProgramArguments.usualFile)
    let path = arguments.file.map { Message($0) } ?? usual
    var reader = ConfigurationReader(path)
    var table = DirectiveTable(listensOnly: arguments.listensOnly, absolute: reader.absolute)
    if arguments.file != nil || arguments.lines.isEmpty || !matches(of: Path(usual)).isEmpty {
        try reader.read { line throws(ConfigurationError) in try table.take(line) }
    }
    for line in arguments.lines {
        try reader.read(line, Message("command line")) { line throws(ConfigurationError) in try table.take(line) }
    }
    let configuration = try table.finish()
    if configuration.listensOnly { try checkListening(configuration) } else { try checkServers(configuration) }
    guard !configuration.destinations.isEmpty else {
        throw Message("MulticastStats is missing: nothing says where the servers are announced").error
    }
    guard configuration.key == nil || !configuration.accepted.isEmpty else {
        throw Message(
            "with BackhandKey, AcceptStats must name the balancers: they ask a server to prove that it has the key"
        ).error
    }
    return configuration
}

private func checkListening(_ configuration: AnnounceConfiguration) throws(ConfigurationError) {
    guard configuration.servers.isEmpty else {
        throw Message("--listen-only announces nothing, and the configuration names servers").error
    }
    guard !configuration.accepted.isEmpty else {
        throw Message("AcceptStats is missing: nothing says whose announcements --listen-only accepts").error
    }
}

private func checkServers(_ configuration: AnnounceConfiguration) throws(ConfigurationError) {
    guard !configuration.servers.isEmpty else {
        throw Message("no server is named: <Server 10.0.0.5:8080>, or --server 10.0.0.5:8080").error
    }
    guard configuration.servers.count <= 256 else { throw Message("more than 256 servers of one machine").error }
    let checks = configuration.servers.indices.map { configuration.values(of: UInt16(clamping: $0)).checks.count }
    guard checks.reduce(0, +) <= Int(BH_CHECKS) else { throw Message("more than 64 checks of one machine").error }
}
