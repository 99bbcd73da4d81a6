// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandSystem

private let here: UInt32 = 0x7f00_0001

@Test func descriptorsComeOutInOrderWithTheirWords() throws {
    let store = try DescriptorStore()
    defer { store.close() }
    #expect(store.take() == nil)
    let sockets = try (0..<40).map { _ in try UDPSocket(address: here, port: 0, shared: false) }
    for (number, socket) in sockets.enumerated() {
        try store.put(socket.fd, [UInt32](repeating: UInt32(number), count: 1 + number % DescriptorStore.most))
    }
    let names = sockets.compactMap { $0.name?.port }
    // They stay open although nobody has them.
    sockets.forEach { $0.close() }
    for (number, port) in names.enumerated() {
        let (fd, words) = try #require(store.take())
        let socket = try #require(UDPSocket(taking: fd))
        #expect(
            socket.name?.port == port
                && words == [UInt32](repeating: UInt32(number), count: 1 + number % DescriptorStore.most))
        #expect(throws: SystemError.addressInUse) { try UDPSocket(address: here, port: port, shared: false) }
        socket.close()
        try UDPSocket(address: here, port: port, shared: false).close()
    }
    #expect(store.take() == nil)
    #expect(throws: SystemError.wrongKind) { try store.put(0, []) }
    #expect(throws: SystemError.wrongKind) { try store.put(0, [UInt32](repeating: 0, count: DescriptorStore.most + 1)) }
}

@Test func whatIsNoUDPSocketIsNotTaken() throws {
    let store = try DescriptorStore()
    defer { store.close() }
    #expect(UDPSocket(taking: store.inlet) == nil && UDPSocket(taking: -1) == nil && UDPSocket(taking: 0) == nil)
}

@Test func addressesOfThisMachine() {
    #expect(whyNotLocal(here) == nil && whyNotLocal(0x7f01_0203) == nil)
    #expect(whyNotLocal(0xc000_0201) == .addressNotHere)
    #expect(networkInterfaces().contains { $0.address == here && $0.index == 1 })
}

@Test func theKernelTellsOfItsNetwork() throws {
    let news = try NetworkNews()
    defer { news.close() }
    #expect(news.read() == nil || news.read() == nil)
}
