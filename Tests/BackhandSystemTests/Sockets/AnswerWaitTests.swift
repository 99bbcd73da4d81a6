// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandSystem
import Glibc
import Testing

@Suite struct AnswerWaitTests {
    private func withPair(_ body: (Int32, Int32) throws -> Void) rethrows {
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        try body(ends[0], ends[1])
    }

    @Test func theSetIsReadableWhenTheAnswerIsThere() throws {
        try withPair { own, other in
            let wait = try #require(AnswerWait(for: own))
            defer { wait.close() }
            #expect(!isReady(wait.set, writing: false, milliseconds: 0) && awaitedAnswer(on: own) == .awaited)
            #expect(write(other, "x", 1) == 1)
            #expect(isReady(wait.set, writing: false, milliseconds: 1000) && awaitedAnswer(on: own) == .there)
        }
    }

    @Test func itIsReadableWhenTheTimeIsOver() throws {
        try withPair { own, _ in
            let wait = try #require(AnswerWait(for: own))
            defer { wait.close() }
            wait.wake(after: 1000)
            #expect(isReady(wait.set, writing: false, milliseconds: 5000) && awaitedAnswer(on: own) == .awaited)
            wait.wake(after: 60_000_000)
            #expect(!isReady(wait.set, writing: false, milliseconds: 0))
        }
    }

    @Test func aConnectionThatHasEnded() {
        withPair { own, other in
            shutdown(other, Int32(SHUT_RDWR))
            #expect(awaitedAnswer(on: own) == .ended)
        }
        #expect(awaitedAnswer(on: -1) == .ended)
    }

    @Test func aSocketCanBeWrittenUntilItsBufferIsFull() {
        withPair { own, _ in
            #expect(isReady(own, writing: true, milliseconds: 0))
            #expect(fcntl(own, F_SETFL, O_NONBLOCK) == 0)
            let bytes = [UInt8](repeating: 0, count: 65536)
            while write(own, bytes, bytes.count) > 0 {}
            #expect(!isReady(own, writing: true, milliseconds: 0))
        }
    }

    @Test func withoutDescriptorsThereIsNone() {
        #expect(AnswerWait(for: -1) == nil)
    }
}
