// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandTestbed
import Glibc
import Testing

@testable import BackhandModerator

/// A TCP connection over the loopback interface.
private struct Connection {
    let client: Int32
    let server: Int32
    let port: UInt16

    init() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let (opened, asking) = (listener, client)
        withUnsafeMutablePointer(to: &name) { name in
            name.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                #expect(bind(opened, name, length) == 0 && listen(opened, 1) == 0)
                #expect(getsockname(opened, name, &length) == 0 && connect(asking, name, length) == 0)
            }
        }
        server = accept(listener, nil, nil)
        port = UInt16(bigEndian: name.sin_port)
        close(listener)
    }
}

/// A segment with one server in row 1, and open queues.
private final class Bench {
    let memory = SegmentMemory(childSlots: 1)
    var queues = bh_queues_t()
    var server = bh_facts_t()
    let connection = Connection()

    init() {
        #expect(openQueues(&queues) == 0)
        server.address = bh_address_t(high: 0, low: 0xffff_7f00_0001)
        server.port = connection.port
        server.keepalive_ms = 5000
        bh_row_store(bh_segment_row_mutable(segment, 1), &server)
        bh_half_store(&bh_segment_shared(segment, 1).pointee.most, 2)
        bh_word_store(&bh_segment_row_mutable(segment, 1).pointee.heard_ms, 1)
        bh_half_store(&bh_segment_row_mutable(segment, 1).pointee.may_keep, UInt32(BH_KEEP_ALL))
    }

    deinit {
        closeQueues(&queues)
        close(connection.client)
        close(connection.server)
    }

    var segment: UnsafeMutablePointer<bh_segment_t> { memory.segment }

    func put(now: UInt64 = 1000) -> Bool { with { $0.put(id: 1, $1, fd: connection.client, now: now) } }

    /// Whether a connection came out, which is closed again.
    func take(now: UInt64 = 2000) -> Bool {
        let fd = with { $0.take(child: -1, id: 1, $1, now: now) }
        if fd >= 0 { close(fd) }
        return fd >= 0
    }

    func with<Result>(_ body: (ConnectionPool, UnsafePointer<bh_facts_t>) -> Result) -> Result {
        withUnsafePointer(to: queues) { queues in
            withUnsafePointer(to: server) { body(ConnectionPool(queues, segment), $0) }
        }
    }

    var waiting: UInt32 { bh_shared_waiting(segment, 1) }
    var foreign: UInt64 { bh_counter_load(segment, BH_COUNT_NOT_CONNECTIONS.rawValue) }
}

@Suite struct ConnectionPoolTests {
    @Test func whatIsPutInComesOut() {
        let bench = Bench()
        #expect(!bench.take() && bench.put() && bench.waiting == 1)
        #expect(bench.take() && bench.waiting == 0 && bench.foreign == 0)
        #expect(bh_row_kept(bench.segment, 1) == 1)
        #expect(!bench.take())
    }

    @Test func noMoreThanMayWaitAreTaken() {
        let bench = Bench()
        #expect(bench.put() && bench.put() && !bench.put() && bench.waiting == 2)
    }

    /// What is wrong with a connection, and whether it is what was put in as one.
    @Test(arguments: ["old", "read", "closed", "another port", "gone"])
    func badOnesAreClosed(what: String) {
        let bench = Bench()
        #expect(bench.put())
        var now: UInt64 = 2000
        switch what {
        case "old": now = 1000 + 4000
        case "read": #expect(write(bench.connection.server, "x", 1) == 1)
        case "closed": shutdown(bench.connection.server, Int32(SHUT_RDWR))
        case "another port": bench.server.port &+= 1
        default: bench.server.address.low += 1
        }
        #expect(!bench.take(now: now) && bench.waiting == 0 && bench.foreign == 0)
    }

    @Test func whatIsNoConnectionIsCounted() {
        let bench = Bench()
        var pair: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        #expect(bench.with { $0.put(id: 1, $1, fd: pair[0], now: 1000) })
        #expect(!bench.take() && bench.foreign == 1)
        for fd in pair { close(fd) }
    }

    @Test func theModeratorPutsGoodOnesBackAndMendsTheCount() {
        let bench = Bench()
        #expect(bench.put())
        bh_shared_add(bench.segment, 1, 1)
        let log = Log(bh_moderator_config_t())
        withUnsafePointer(to: bench.queues) { queues in
            var config = bh_moderator_config_t()
            config.queues = queues
            var poolCheck = PoolCheck(config, bench.segment, log)
            poolCheck.look(rows: 2, now: 1500)
            #expect(bench.waiting == 2)
            poolCheck.look(rows: 2, now: 1501)
            #expect(bench.waiting == 1)
            poolCheck.look(rows: 2, now: 1000 + 4000)
            #expect(bench.waiting == 0)
        }
        #expect(bench.foreign == 0)
    }

    @Test func closedQueuesHoldNothing() {
        let bench = Bench()
        #expect(bench.put())
        var poolCheck = PoolCheck(bh_moderator_config_t(), bench.segment, Log(bh_moderator_config_t()))
        poolCheck.look(rows: 2, now: 1500)
        #expect(bench.waiting == 0)
        closeQueues(&bench.queues)
        #expect(!bench.put() && !bench.take())
    }
}
