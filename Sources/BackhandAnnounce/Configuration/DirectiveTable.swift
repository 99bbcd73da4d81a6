// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText

/// Puts one line after the other into a configuration.
struct DirectiveTable {
    private(set) var configuration = AnnounceConfiguration()
    /// The section that has begun: its server's place, and its first line.
    private var section: (place: Int, line: ConfigurationLine)?
    /// Makes an absolute path of one in the configuration.
    let absolute: ([UInt8]) -> Message

    /// - Parameter listensOnly: nothing is announced, and an own address of MulticastStats says where to listen.
    init(listensOnly: Bool = false, absolute: @escaping ([UInt8]) -> Message) {
        self.absolute = absolute
        configuration.listensOnly = listensOnly
    }

    /// Takes one line.
    mutating func take(_ line: ConfigurationLine) throws(ConfigurationError) {
        if line.isNamed("<Server") { return try beginServer(line) }
        if line.isNamed("</Server") { return try endServer(line) }
        if try takeServerValue(line) { return }
        guard section == nil else { throw line.wrong("stands outside of <Server>, for all servers of this machine") }
        try takeDaemonValue(line)
    }

    /// After the last line.
    func finish() throws(ConfigurationError) -> AnnounceConfiguration {
        if let section { throw section.line.wrong("</Server> is missing") }
        return configuration
    }

    // ---- <Server 10.0.0.5:8080> ----

    private mutating func beginServer(_ line: ConfigurationLine) throws(ConfigurationError) {
        guard section == nil else { throw line.wrong("stands in another <Server>, which </Server> must end first") }
        let place = try only(line)
        let server = try line.naming { () throws(ConfigurationError) in try parsePlace(place) }
        section = (configuration.place(of: server.address, server.port), line)
    }

    private mutating func endServer(_ line: ConfigurationLine) throws(ConfigurationError) {
        guard section != nil, line.arguments.isEmpty else { throw line.wrong("ends no <Server>") }
        section = nil
    }

    // ---- What a server may say ----

    /// Takes a directive that one server may have; false: it is another one.
    private mutating func takeServerValue(_ line: ConfigurationLine) throws(ConfigurationError) -> Bool {
        var values = section.map { configuration.servers[$0.place].values } ?? configuration.defaults
        if line.isNamed("Workers") {
            values.workers = try number(line, 1...1_000_000)
        } else if line.isNamed("BackhandCapacity") {
            values.capacity = try number(line, 1...1_000_000_000)
        } else if line.isNamed("IdleHoldsWorker") {
            values.idleHoldsWorker = try isOn(line)
        } else if line.isNamed("KeepAliveTimeout") {
            values.keepAliveTimeout = try number(line, 1...86_400, "a number of seconds")
        } else if line.isNamed("ControlGroup") {
            values.groups = try groupNames(line)
        } else if line.isNamed("BackhandCheck") {
            values.checks.append(try checkWords(line))
        } else {
            return false
        }
        if let section {
            configuration.servers[section.place].values = values
        } else {
            configuration.defaults = values
        }
        return true
    }

    // ---- What is said of the whole machine ----

    private mutating func takeDaemonValue(_ line: ConfigurationLine) throws(ConfigurationError) {
        if line.isNamed("MulticastStats") {
            try addDestination(line)
        } else if line.isNamed("AcceptStats") {
            try addAccepted(line)
        } else if line.isNamed("UnixSocketDir") {
            configuration.directory = absolute(try only(line))
        } else if line.isNamed("ServerName") {
            configuration.hostname = Message(try only(line))
        } else if line.isNamed("BackhandExpire") {
            configuration.expire = try number(line, 60...604_800, "a number of seconds")
        } else if line.isNamed("BackhandDrainFile") {
            configuration.drainFile = try fileName(line, absolute)
        } else if line.isNamed("BackhandSocketGroup") {
            configuration.socketGroup = try group(line)
        } else if line.isNamed("BackhandKey") {
            try setKey(line)
        } else {
            throw line.wrong(
                isHttpdsAlone(line)
                    ? "is for httpd alone, which chooses servers; this program only announces"
                    : "this program has no such directive; backhand-announce(8) has all that there are")
        }
    }

    private mutating func addDestination(_ line: ConfigurationLine) throws(ConfigurationError) {
        guard (1...2).contains(line.arguments.count) else {
            throw line.wrong("takes [own:port] destination:port[,ttl]")
        }
        let own = line.arguments.count == 2 ? try withAddress(line.words[1], line) : nil
        let target = try withAddress(line.words[line.words.count - 1], line)
        let destination = try line.naming { () throws(ConfigurationError) in
            try withCString(own) { own throws(ConfigurationError) in
                try withCString(target) { target throws(ConfigurationError) in
                    // Never nil: the text is there.
                    try parseDestination(own: own, target!)
                }
            }
        }
        if own != nil, !configuration.listensOnly {
            guard destination.own_port != 0 else {
                throw line.wrong("names a server, so its port must be given, as 10.0.0.5:8080")
            }
            _ = configuration.place(of: destination.own, destination.own_port)
        }
        configuration.destinations.append(destination)
    }

    private mutating func addAccepted(_ line: ConfigurationLine) throws(ConfigurationError) {
        guard !line.arguments.isEmpty else { throw line.wrong("takes networks, as 10.0.0.0/24") }
        for text in line.arguments {
            let network = try line.naming { () throws(ConfigurationError) in
                try withCString(text) { text throws(ConfigurationError) in try parseNetwork(text!) }
            }
            configuration.accepted.append(network)
        }
    }

    private mutating func setKey(_ line: ConfigurationLine) throws(ConfigurationError) {
        guard configuration.key == nil else {
            throw line.wrong("there is one already; its file has room for a second key")
        }
        let count = line.arguments.count
        guard count == 1 || count == 2 else { throw line.wrong("takes a file, and perhaps the word Optional") }
        // What stands after the file may be a part of the key: it is not repeated.
        let isOptional = count == 2
        guard !isOptional || line.words[2].withUnsafeBufferPointer({ Word($0).equals("Optional", ignoringCase: true) })
        else { throw line.wrong("after the file may stand only the word Optional") }
        configuration.key = (line.words[1], absolute(line.words[1]), isOptional)
    }
}
