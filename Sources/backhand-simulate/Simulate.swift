// Licensed under the Apache License, Version 2.0; see LICENSE.

import ArgumentParser
import BackhandServerStats
import BackhandSystem
import BackhandWire
import CBackhand

/// A cluster that is not there: its announcements, or its requests.
@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backhand-simulate",
        abstract: "Simulates clusters, to try mod_backhand on one machine.",
        version: BACKHAND_VERSION, subcommands: [Announce.self, Balance.self, Cost.self],
        defaultSubcommand: Announce.self)
}

/// Pretends to be many servers of a cluster, on loopback addresses.
struct Announce: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Announces servers that do not exist, to try mod_backhand on one machine.",
        discussion: """
            Each server announces from a separate address in 127.0.0.0/8. Nothing leaves this machine, because the \
            destination must \
            be a loopback address, or a multicast group, which is then used on the loopback interface only.
            """)

    @Option(help: "Number of servers, 1 to 65535.")
    var peers: Int = 16

    @Option(help: ArgumentHelp("Destination of the announcements.", valueName: "address:port[,ttl]"))
    var destination: String

    @Option(help: "The address of the loopback interface from which multicast leaves.")
    var own: String = "127.0.0.1"

    @Option(help: "Seconds until the end.")
    var seconds: Int = 60

    @Option(help: ArgumentHelp("Milliseconds between two announcements of one server, 10 to 60000.", valueName: "ms"))
    var interval: Int = 1000

    @Option(help: "Hops of multicast, 1 to 255, instead of those of the destination.")
    var ttl: Int?

    @Option(help: "Address of the first server. The others have the addresses after it.")
    var first: String = "127.1.0.1"

    @Option(help: "The port that the servers announce.")
    var port: UInt16 = 80

    @Option(help: "The same seed gives the same servers with the same histories.")
    var seed: UInt64 = 1

    func validate() throws {
        _ = try scene()
    }

    func run() throws {
        let scene = try scene()
        catchStopSignals()
        var crowd = Crowd(scene, seed: seed, startedAt: wallSeconds())
        let socket = try open(scene)
        defer { socket.close() }
        crowd.announce(with: socket, for: UInt64(seconds) * 1000)
        let why = crowd.failure.map { ", at first: \($0.text)" } ?? ""
        print("\(crowd.sent) announcements of \(peers) servers sent, \(crowd.failed) refused by the system\(why)")
        if crowd.failed > 0 { throw ExitCode.failure }
    }

    private func open(_ scene: Scene) throws -> UDPSocket {
        do throws(SystemError) {
            let socket = try UDPSocket(address: scene.own, port: 0, shared: false)
            if scene.isMulticast {
                try socket.sendMulticast(interface: scene.own, hops: scene.hops)
            } else {
                // 127.255.255.255 is a loopback address like any other, but for this.
                try socket.allowBroadcast()
            }
            return socket
        } catch {
            throw ValidationError("cannot send from \(own): \(error.text)")
        }
    }

    /// The arguments, checked.
    private func scene() throws -> Scene {
        guard (1...65535).contains(peers) else { throw ValidationError("--peers must be 1 to 65535") }
        guard (10...60_000).contains(interval) else { throw ValidationError("--interval must be 10 to 60000") }
        guard (1...255).contains(ttl ?? 1) else { throw ValidationError("--ttl must be 1 to 255") }
        guard (1...86_400).contains(seconds) else { throw ValidationError("--seconds must be 1 to 86400") }
        guard port > 0 else { throw ValidationError("--port must be 1 to 65535") }
        let target: bh_destination_t
        do {
            target = try parseDestination(own: nil, destination)
        } catch {
            throw ValidationError("--destination \(error.text)")
        }
        guard let group = target.group.ipv4, target.group.isMulticast || group >> 24 == 127 else {
            throw ValidationError(
                "--destination \(destination): only loopback addresses and multicast groups are sent to")
        }
        let start = try loopback(first, "--first")
        guard UInt64(start) + UInt64(peers) <= 0x7fff_ffff else {
            throw ValidationError("--first \(first): there are not \(peers) loopback addresses from there on")
        }
        return Scene(
            own: try loopback(own, "--own"), first: start, peers: UInt32(peers), port: port, destination: group,
            destinationPort: target.port, isMulticast: target.group.isMulticast,
            hops: ttl.map { UInt8($0) } ?? target.ttl, interval: UInt64(interval))
    }

    private func loopback(_ text: String, _ name: String) throws -> UInt32 {
        guard let address = parseAddress(text)?.ipv4, address >> 24 == 127 else {
            throw ValidationError("\(name) \(text): must be a loopback address, 127.x.y.z")
        }
        return address
    }
}

/// The servers that are announced, and where. Addresses in host byte order.
struct Scene {
    var own: UInt32
    var first: UInt32
    var peers: UInt32
    var port: UInt16
    var destination: UInt32
    var destinationPort: UInt16
    var isMulticast: Bool
    /// Of multicast.
    var hops: UInt8
    /// Milliseconds.
    var interval: UInt64
}
