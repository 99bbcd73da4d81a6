// Licensed under the Apache License, Version 2.0; see LICENSE.

import Foundation
import Testing

@testable import BackhandSystem

private let here: UInt32 = 0x7f00_0001

/// A bound socket on a free port of the address, and the port.
private func bound(to address: UInt32) throws -> (UDPSocket, UInt16) {
    for port in UInt16(40_000)...60_000 {
        if let socket = try? UDPSocket(address: address, port: port, shared: false) { return (socket, port) }
    }
    throw SystemError.addressInUse
}

@Test func aDatagramArrivesWithItsSenderAndTrueLength() throws {
    let (receiver, port) = try bound(to: here)
    defer { receiver.close() }
    let sender = try UDPSocket(address: 0x7f00_0002, port: 0, shared: false)
    defer { sender.close() }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 1)
    defer { room.deallocate() }
    var from: UInt32 = 0
    #expect(receiver.receive(into: room, sender: &from) == nil)

    try [UInt8](1...5).withUnsafeBytes { try sender.send($0, to: here, port: port) }
    try [UInt8](repeating: 7, count: 100).withUnsafeBytes {
        try sender.send($0, from: 0x7f01_0203, to: here, port: port)
    }
    var readiness = Readiness()
    let place = readiness.add(receiver.fd, reading: true, writing: false)
    readiness.wait(milliseconds: 1000)
    #expect(readiness.isReadable(place))
    #expect(receiver.receive(into: room, sender: &from) == 5)
    #expect(from == 0x7f00_0002)
    #expect(Array(room[..<5]) == [1, 2, 3, 4, 5])
    #expect(receiver.receive(into: room, sender: &from) == 100)
    #expect(from == 0x7f01_0203)
    #expect(receiver.receive(into: room, sender: &from) == nil)
}

@Test func aTakenPortAndAForeignAddressAreTold() throws {
    let (first, port) = try bound(to: here)
    defer { first.close() }
    #expect(throws: SystemError.addressInUse) { try UDPSocket(address: here, port: port, shared: false) }
    #expect(throws: SystemError.addressInUse) { try UDPSocket(address: here, port: port, shared: true) }
    #expect(throws: SystemError.addressNotHere) { try UDPSocket(address: 0xc000_0201, port: 0, shared: false) }
}

@Test func aGroupIsHeardByAllWhoJoined() throws {
    let group: UInt32 = 0xefff_4d01
    let (holder, port) = try bound(to: here)
    holder.close()
    let listeners = try (0..<2).map { _ in try UDPSocket(address: group, port: port, shared: true) }
    defer { listeners.forEach { $0.close() } }
    for socket in listeners {
        try socket.join(group: group, interface: 0x7f00_0003)
        try socket.join(group: group, interface: 0x7f00_0004)  // the same interface: no error
    }
    let sender = try UDPSocket(address: 0x7f00_0003, port: 0, shared: false)
    defer { sender.close() }
    try sender.sendMulticast(interface: 0x7f00_0003, hops: 1)
    try [UInt8](1...9).withUnsafeBytes { try sender.send($0, to: group, port: port) }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 1)
    defer { room.deallocate() }
    for socket in listeners {
        var from: UInt32 = 0
        var readiness = Readiness()
        readiness.add(socket.fd, reading: true, writing: false)
        readiness.wait(milliseconds: 1000)
        #expect(socket.receive(into: room, sender: &from) == 9)
        #expect(from == 0x7f00_0003)
        #expect(socket.receive(into: room, sender: &from) == nil, "once each")
    }
}

@Test func theReceiveBufferGrows() throws {
    let (socket, _) = try bound(to: here)
    defer { socket.close() }
    let small = socket.growReceiveBuffer(to: 8192)
    #expect(small >= 8192)
    #expect(socket.growReceiveBuffer(to: 100_000) > small)
}

@Test func theLoopbackInterfaceIsKnown() throws {
    #expect(
        networkInterfaces().contains(
            NetworkInterface(address: here, mask: 0xff00_0000, broadcast: 0x7fff_ffff, index: 1)))
    #expect(try localAddress(towards: 0x7f00_0009) == here)
}
