// Licensed under the Apache License, Version 2.0; see LICENSE.

import Glibc
import Testing

@testable import BackhandSystem

@Suite struct ShortageTests {
    @Test(
        arguments: [
            (EMFILE, "descriptors"), (ENFILE, "descriptors"), (ENOMEM, "memory"), (ENOBUFS, "memory"),
            (EADDRNOTAVAIL, "a port of its own"), (ECONNREFUSED, nil), (ETIMEDOUT, nil), (0, nil),
        ] as [(Int32, String?)])
    func names(code: Int32, name: String?) {
        #expect(Shortage.name(code).map { "\($0)" } == name)
    }

    @Test func thisProcessLacksNothing() {
        #expect(!Shortage.isNear && Shortage.isOver())
    }

    @Test func onlyWhatIsNotNeededIsClosed() {
        // Numbers that no other test is given meanwhile.
        let (one, two) = (fcntl(2, F_DUPFD, 900), fcntl(2, F_DUPFD, 900))
        closeDescriptors { $0 != one }
        #expect(fcntl(one, F_GETFD) == -1 && fcntl(two, F_GETFD) >= 0)
        close(two)
    }
}

@Suite struct SourceAddressTests {
    /// ::ffff:127.0.0.1 and so on.
    private func loopback(_ last: UInt64) -> (high: UInt64, low: UInt64) { (0, 0xffff_7f00_0000 | last) }

    @Test func asTheKernelChoosesOrAsIsWanted() {
        #expect(sourceAddress(to: loopback(1), port: 9, from: (0, 0)).map { $0 == loopback(1) } == true)
        #expect(sourceAddress(to: loopback(1), port: 9, from: loopback(7)).map { $0 == loopback(7) } == true)
        #expect(sourceAddress(to: loopback(1), port: 9, from: (0, 0xffff_c000_0209)) == nil)
    }
}
