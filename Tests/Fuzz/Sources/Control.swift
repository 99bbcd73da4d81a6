// Licensed under the Apache License, Version 2.0; see LICENSE.

@testable import BackhandModerator

/// What a client of the control socket may send, in any pieces: the conversation asks for an answer at most once, and
/// ends.
func fuzzControl(_ bytes: UnsafeRawBufferPointer) {
    var source = Source(bytes)
    var conversation = ControlConversation(now: 0)
    var answers = 0
    for now in 0..<200 where conversation.step != .close {
        switch conversation.step {
        case .read: conversation.receive((0..<Int(source.byte())).map { _ in source.byte() })
        case .answer:
            answers += 1
            conversation.answer((0..<Int(source.byte())).map { UInt8(truncatingIfNeeded: $0) })
        case .write:
            let limit = Int(source.byte())
            conversation.withUnsent(limit: limit) { promise($0.count <= limit, "more bytes than asked for") }
            conversation.wrote(Int(source.byte()) - 1)
        case .close: break
        }
        if source.isEmpty { conversation.check(now: UInt64(now) * 1000) }
    }
    promise(answers <= 1, "two answers")
    conversation.check(now: .max)
    promise(conversation.step == .close, "a conversation without end")
}
