// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import BackhandWire

/// The simulated servers and the order in which they announce.
struct Crowd {
    private let scene: Scene
    private var servers: [SimulatedServer]
    private(set) var sent = 0
    private(set) var failed = 0
    /// Why the first one that failed did.
    private(set) var failure: SystemError?

    init(_ scene: Scene, seed: UInt64, startedAt: Int64) {
        self.scene = scene
        servers = (0..<scene.peers).map { number in
            SimulatedServer(
                number: number, address: scene.first + number, port: scene.port, seed: seed, startedAt: startedAt)
        }
    }

    /// Announces until the time is over or a stop signal arrives.
    ///
    /// Server i of n is due at i/n of each interval, so that the receiver sees a steady stream.
    mutating func announce(with socket: UDPSocket, for milliseconds: UInt64) {
        let start = monotonicMilliseconds()
        var turn: UInt64 = 0
        var readiness = Readiness()
        while !stopRequested() {
            let elapsed = monotonicMilliseconds() - start
            guard elapsed < milliseconds else { return }
            while due(turn) <= elapsed, due(turn) < milliseconds {
                send(servers.index(servers.startIndex, offsetBy: Int(turn % UInt64(servers.count))), with: socket)
                turn += 1
            }
            readiness.wait(
                milliseconds: Int(clamping: min(due(turn), milliseconds).saturatingMinus(elapsed, atLeast: 1)))
        }
    }

    /// Milliseconds after the start at which the turn comes.
    private func due(_ turn: UInt64) -> UInt64 {
        turn * scene.interval / UInt64(servers.count)
    }

    private mutating func send(_ index: Int, with socket: UDPSocket) {
        servers[index].live()
        let facts = servers[index].facts
        let source = scene.first + UInt32(index)
        withUnsafeTemporaryAllocation(byteCount: announcementLimit, alignment: 8) { room in
            let length = encodeAnnouncement(facts, into: room)
            do throws(SystemError) {
                try socket.send(
                    UnsafeRawBufferPointer(rebasing: room[..<length]), from: source, to: scene.destination,
                    port: scene.destinationPort)
                sent += 1
            } catch {
                failed += 1
                failure = failure ?? error
            }
        }
    }
}

extension UInt64 {
    fileprivate func saturatingMinus(_ other: UInt64, atLeast least: UInt64) -> UInt64 {
        self > other ? Swift.max(self - other, least) : least
    }
}
