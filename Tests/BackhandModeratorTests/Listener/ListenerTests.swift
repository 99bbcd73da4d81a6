// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandSystem
import Foundation
import Testing

@testable import BackhandModerator

@Suite struct ListenerTests {
    /// Where the kernel takes no filter, everything is read, nothing is said to be dropped by one, and what is lost is
    /// lost.
    @Test(arguments: [false, true]) func aFilterThatCannotBeAttachedIsNone(isLocked: Bool) throws {
        let port = try freePort()
        let one = try RunningModerator(Setting(own: "127.0.0.2:80", destinations: ["127.0.0.1:\(port)"]))
        defer { one.close() }
        let moderator = one.moderator
        moderator.beginNetwork(now: 1000)
        let socket = try #require(moderator.sockets.listeners.first?.socket)
        var on: Int32 = 1
        // The kernel refuses to change what is locked, which is nothing at all here.
        if isLocked { #expect(setsockopt(socket.fd, SOL_SOCKET, 44 /* SO_LOCK_FILTER */, &on, 4) == 0) }
        let name = try #require(socket.name)
        moderator.listener.noteFlood(now: 50_000)
        for _ in 0..<2000 { moderator.gatekeeper.flood.note() }
        moderator.listener.noteFlood(now: 50_500)
        #expect(moderator.gatekeeper.flood.isFlood && moderator.listener.isFiltering != isLocked)
        #expect(one.log.filter { $0.number == 350 }.count == (isLocked ? 0 : 1))
        let sender = try UDPSocket(address: 0x7f00_0002, port: 0, shared: false)
        defer { sender.close() }
        moderator.listener.noteLosses(at: socket, now: 50_600)
        let before = (one.counter(BH_COUNT_FILTERED), one.counter(BH_COUNT_OVERFLOWED))
        let room = [UInt8](repeating: 120, count: 1000)
        for _ in 0..<20_000 { try? room.withUnsafeBytes { try sender.send($0, to: name.address, port: name.port) } }
        moderator.listener.noteLosses(at: socket, now: 50_700)
        let (filtered, overflowed) = (
            one.counter(BH_COUNT_FILTERED) - before.0, one.counter(BH_COUNT_OVERFLOWED) - before.1
        )
        #expect(isLocked ? filtered == 0 && overflowed > 0 : filtered > 19_000 && overflowed == 0)
    }
}
