// Licensed under the Apache License, Version 2.0; see LICENSE.

import Foundation
import Testing

@testable import BackhandSystem

private let here: UInt32 = 0x7f00_0001

@Suite struct SocketFilterTests {
    static let begin = SocketFilter.Mark(offset: 0, number: 0x424B_4844)
    static let end = SocketFilter.Mark(offset: -36, number: 0x0003_0020)
    static let signed: [UInt8] =
        [0x42, 0x4b, 0x48, 0x44] + [UInt8](repeating: 1, count: 50) + [0, 3, 0, 32] + [UInt8](repeating: 9, count: 32)

    struct Case: Sendable {
        var marks = [begin, end]
        var networks: [(base: UInt32, mask: UInt32)] = [(0x7f00_0000, 0xff00_0000)]
        var datagram = signed
        var passes: Bool
    }

    /// The kernel runs it: what passes is there at once, of what does not one in 256.
    @Test(arguments: [
        Case(passes: true),
        Case(networks: [], passes: true),
        Case(networks: [(0x0a00_0000, 0xff00_0000), (0x7f00_0001, .max)], passes: true),
        Case(networks: [(0x0a00_0000, 0xff00_0000), (0x7f00_0002, .max)], passes: false),
        Case(networks: (0..<64).map { (0x0a00_0000 + $0, .max) }, passes: false),
        Case(networks: (0..<63).map { (0x0a00_0000 + $0, .max) } + [(here, .max)], passes: true),
        Case(networks: (0..<65).map { (0x0a00_0000 + $0, .max) }, passes: false),
        // All that are compared, each as long as it can be, and one more.
        Case(networks: (0..<1000).map { (0xac10_0000 + $0 << 8, 0xffff_ff00) }, passes: false),
        Case(networks: (0..<999).map { (0xac10_0000 + $0, .max) } + [(here, .max)], passes: true),
        Case(networks: [(here, .max)] + (0..<999).map { (0xac10_0000 + $0, .max) }, passes: true),
        Case(networks: (0..<1001).map { (0xac10_0000 + $0, .max) }, passes: true),
        // Of several lengths, at both ends of a group of 200.
        Case(
            networks: (0..<399).map { (0x0a00_0000 + $0 << 8, 0xffff_ff00) } + [(0x7f00_0000, 0xffff_ff00)]
                + (0..<33).map { (0xac10_0000 + $0, .max) }, passes: true),
        Case(
            networks: [(0x7f00_0000, 0xffff_ff00)] + (0..<399).map { (0x0a00_0000 + $0 << 8, 0xffff_ff00) },
            passes: true),
        Case(
            networks: (0..<200).map { (0x0a00_0000 + $0 << 8, 0xffff_ff00) } + [(0x7f00_0000, 0xffff_ff00)],
            passes: true),
        Case(networks: [(0, 0)], passes: true),
        Case(datagram: [0x42, 0x4b, 0x48, 0x45] + signed.dropFirst(4), passes: false),
        Case(datagram: Array(signed.dropLast()), passes: false),
        Case(marks: [begin], datagram: Array(signed.dropLast()), passes: true),
        Case(marks: [begin], datagram: [0x42, 0x4b, 0x48, 0x44], passes: true),
        Case(marks: [begin], datagram: [0x42, 0x4b, 0x48], passes: false),
        Case(datagram: [0x42, 0x4b, 0x48, 0x44], passes: false),
        Case(datagram: [], passes: false),
    ])
    func theKernelRunsIt(_ one: Case) throws {
        let receiver = try UDPSocket(address: here, port: 0, shared: false)
        defer { receiver.close() }
        try receiver.filter(with: SocketFilter(marks: one.marks, networks: one.networks))
        let count = 200
        try send(one.datagram, count, to: receiver)
        let inbox = Inbox(size: 16)
        var got = 0
        while inbox.fill(from: receiver, most: 10) > 0 { got += inbox.count }
        if one.passes { #expect(got == count) } else { #expect(got < 20) }
        let dropped = try #require(receiver.receiveBuffer).dropped
        #expect(Int(dropped) == count - got)
        #expect(inbox.count == 0)
    }

    @Test func itIsTakenOff() throws {
        let receiver = try UDPSocket(address: here, port: 0, shared: false)
        defer { receiver.close() }
        try receiver.filter(with: nil)
        try receiver.filter(with: SocketFilter(marks: [Self.begin], networks: []))
        try receiver.filter(with: nil)
        try send([1, 2, 3], 5, to: receiver)
        #expect(Inbox(size: 16).fill(from: receiver, most: 100) == 5)
    }

    private func send(_ datagram: [UInt8], _ count: Int, to receiver: UDPSocket) throws {
        var name = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(receiver.fd, $0, &length) }
        }
        let sender = try UDPSocket(address: here, port: 0, shared: false)
        defer { sender.close() }
        // An empty array has no address.
        let room = datagram + [0]
        for _ in 0..<count {
            try room.withUnsafeBytes {
                try sender.send(
                    UnsafeRawBufferPointer(rebasing: $0[..<datagram.count]), to: here,
                    port: UInt16(bigEndian: name.sin_port))
            }
        }
    }
}

@Test func manyDatagramsComeAtOnceWithTheirSenders() throws {
    let receiver = try UDPSocket(address: here, port: 41_999, shared: true)
    defer { receiver.close() }
    let senders = try (0..<3).map { try UDPSocket(address: 0x7f00_0002 + UInt32($0), port: 0, shared: false) }
    defer { senders.forEach { $0.close() } }
    for number in 0..<UInt8(100) {
        try [UInt8](repeating: number, count: Int(number)).withUnsafeBytes {
            try senders[Int(number) % 3].send($0, to: here, port: 41_999)
        }
    }
    let inbox = Inbox(size: 50)
    var seen: [(sender: UInt32, length: Int, bytes: [UInt8])] = []
    for expected in [64, 36, 0] {
        #expect(inbox.fill(from: receiver, most: 1000) == expected)
        seen += (0..<inbox.count).map { (inbox.sender($0), inbox.length($0), Array(inbox.bytes($0))) }
    }
    #expect(seen.count == 100)
    for (value, one) in seen.enumerated() {
        #expect(one.sender == 0x7f00_0002 + UInt32(value % 3) && one.length == value)
        #expect(one.bytes == [UInt8](repeating: UInt8(value), count: min(value, 50)))
    }
}
