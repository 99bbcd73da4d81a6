// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

@Test(
    arguments: [
        (["status\n"], .answer(.status)),
        (["sta", "tus", "\n"], .answer(.status)),
        (["status\nstatus\n"], .answer(.status)),  // one line only
        (["status"], .read),
        (["status\r\n"], .answer(.unknown)),
        (["STATUS\n"], .answer(.unknown)),
        (["status \n"], .answer(.unknown)),
        (["\n"], .answer(.unknown)),
        (["\0\n"], .answer(.unknown)),
        (["é\n"], .answer(.unknown)),
        ([String(repeating: "x", count: 255)], .read),
        ([String(repeating: "x", count: 255), "\n"], .answer(.unknown)),
        ([String(repeating: "x", count: 256)], .answer(.tooLong)),
        ([String(repeating: "x", count: 256) + "\n"], .answer(.tooLong)),
        (["sta", ""], .close),  // the client has gone
        ([""], .close),
    ] as [([String], ControlConversation.Step)])
func oneLineIsRead(pieces: [String], expected: ControlConversation.Step) {
    var conversation = ControlConversation(now: 0)
    for piece in pieces { conversation.receive(Array(piece.utf8)) }
    #expect(conversation.step == expected)
}

/// Writes the answer in pieces of the limit, as a slow reader makes it happen.
private func written(_ conversation: inout ControlConversation, limit: Int) -> [UInt8] {
    var result: [UInt8] = []
    while conversation.step == .write {
        result += conversation.withUnsent(limit: limit) { Array($0) }
        conversation.wrote(min(limit, 3))
        if result.count > 10_000 { break }
    }
    return result
}

@Test func anAnswerGoesOutInPiecesAndThenTheEnd() {
    var conversation = ControlConversation(now: 0)
    conversation.receive(Array("status\n".utf8))
    conversation.answer(Array("0123456789".utf8))
    #expect(written(&conversation, limit: 3) == Array("0123456789".utf8))
    #expect(conversation.step == .close)
}

@Test func aSlowReaderIsEnded() {
    var conversation = ControlConversation(now: 1000)
    conversation.receive(Array("status\n".utf8))
    conversation.answer(Array("0123456789".utf8))
    conversation.wrote(4)
    conversation.check(now: 5999)
    #expect(conversation.step == .write)
    conversation.check(now: 6000)
    #expect(conversation.step == .close)
}

@Test func aSilentClientIsEnded() {
    var conversation = ControlConversation(now: 1000)
    conversation.check(now: 6000)
    #expect(conversation.step == .close)
    conversation.receive(Array("status\n".utf8))
    #expect(conversation.step == .close, "too late")
}

@Test func impossibleCountsAreNoTrap() {
    var conversation = ControlConversation(now: 0)
    conversation.answer([1])
    #expect(conversation.step == .read, "nobody has asked")
    conversation.receive([10])
    conversation.answer([])
    #expect(conversation.step == .close, "nothing to say")
    var other = ControlConversation(now: 0)
    other.receive([10])
    other.answer([1, 2])
    other.wrote(-5)
    #expect(other.step == .write)
    other.wrote(99)
    #expect(other.step == .close)
}
