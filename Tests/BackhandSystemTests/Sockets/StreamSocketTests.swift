// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandTestbed
import Testing

@testable import BackhandSystem

@Test func aStreamNeverWaits() throws {
    try withTemporaryDirectory { directory in
        let path = Path(directory).appending("socket")
        #expect(throws: SystemError.missing) { try StreamSocket(connectingTo: path) }
        let listener = StreamSocket(fd: listen(at: directory + "/socket"))
        defer { listener.close() }
        try listener.setNonblocking()
        #expect(throws: SystemError.self) { try listener.accept() }
        let client = try StreamSocket(connectingTo: path)
        let server = try listener.accept()
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 1)
        defer { room.deallocate() }
        do throws(SystemError) {
            _ = try server.receive(into: room)
            Issue.record("there was nothing to receive")
        } catch {
            #expect(error.isLater)
        }
        #expect(try [UInt8](1...3).withUnsafeBytes { try client.send($0) } == 3)
        #expect(try server.receive(into: room) == 3)
        client.close()
        #expect(try server.receive(into: room) == 0)
        #expect(throws: SystemError.self) { try [UInt8](1...3).withUnsafeBytes { try server.send($0) } }
        server.close()
    }
}

@Test func aPathThatIsTooLongIsAnError() {
    #expect(throws: SystemError.self) { try StreamSocket(connectingTo: Path("/" + String(repeating: "x", count: 200))) }
}
