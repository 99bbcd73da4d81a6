// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText

@testable import BackhandModerator

/// What an application may answer to a check, in any pieces: what is known of it once does not change when more comes,
/// and the end leaves nothing open.
func fuzzAnswer(_ bytes: UnsafeRawBufferPointer) {
    let input = bytes.bindMemory(to: UInt8.self)
    guard let first = input.first else { return }
    // Its lowest bits say how many of the next bytes are the text; 0: none is expected.
    let text = UnsafeBufferPointer(rebasing: input.dropFirst().prefix(Int(first % 8)))
    let answer = UnsafeBufferPointer(rebasing: input.dropFirst(1 + text.count).prefix(512))
    func read(_ length: Int, isEnd: Bool) -> CheckAnswer {
        CheckAnswer(
            UnsafeBufferPointer(rebasing: answer.prefix(length)), isEnd: isEnd, text: text.isEmpty ? nil : Word(text))
    }
    var known = CheckAnswer.unfinished
    for length in 0...answer.count {
        let next = read(length, isEnd: false)
        promise(known == .unfinished || next == known, "more bytes have changed it")
        known = next
    }
    let last = read(answer.count, isEnd: true)
    promise(last != .unfinished, "the end leaves it open")
    promise(known == .unfinished || last == known, "the end has changed it")
}
