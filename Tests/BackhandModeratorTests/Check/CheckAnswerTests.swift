// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

@testable import BackhandModerator

private func read(_ text: String, isEnd: Bool = false, expecting word: String? = nil) -> CheckAnswer {
    let (bytes, expected) = (Array(text.utf8), word.map { Array($0.utf8) })
    return bytes.withUnsafeBufferPointer { bytes in
        guard let expected else { return CheckAnswer(bytes, isEnd: isEnd, text: nil) }
        return expected.withUnsafeBufferPointer { CheckAnswer(bytes, isEnd: isEnd, text: Word($0)) }
    }
}

@Suite struct CheckAnswerTests {
    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\n\r\n", 200), ("HTTP/1.0 404\r\n\r\n", 404), ("HTTP/1.1 503 x\nA: b\n\n", 503),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n", 204),
        ("HTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 200 x\r\n\r\n", 200), ("HTTP/1.1 101 x\r\n\r\n", 101),
    ])
    func statuses(text: String, status: UInt32) {
        #expect(read(text) == .status(status))
        // Each part of it says nothing yet, and is not an answer if no more comes.
        for length in 0..<text.utf8.count {
            let part = String(decoding: text.utf8.prefix(length), as: UTF8.self)
            #expect(read(part) == .unfinished, "\(part)")
            #expect(read(part, isEnd: true) == .invalid, "\(part)")
        }
    }

    @Test(arguments: [
        "SSH-2.0", "http/1.1 200 x", "HTTP/2 200 OK\r\n", "HTTP/1.x 200 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 600 OK",
        "HTTP/1.1 099 OK", "HTTP/1.1-200 OK", "\u{16}x", "<html>",
    ])
    func otherThanHTTP(text: String) { #expect(read(text) == .invalid) }

    @Test func tls() {
        for kind: UInt8 in [21, 22] {
            #expect([kind, 3, 1].withUnsafeBufferPointer { CheckAnswer($0, isEnd: false, text: nil) } == .tls)
            #expect([kind].withUnsafeBufferPointer { CheckAnswer($0, isEnd: false, text: nil) } == .unfinished)
            #expect([kind, 2].withUnsafeBufferPointer { CheckAnswer($0, isEnd: false, text: nil) } == .invalid)
        }
    }

    @Test(arguments: ["HTTP/1.1 2004\r\n\r\n", "HTTP/1.1 200x\r\n\r\n"])
    func aStatusOfOtherLength(text: String) { #expect(read(text) == .invalid) }

    /// Interim answers count for the limit, so endless ones end.
    @Test func interimAnswersWithoutEnd() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\n"
        #expect(read(String(repeating: interim, count: 300)) == .unfinished)
        #expect(read(String(repeating: interim, count: 400)) == .invalid)
        #expect(read(String(repeating: interim, count: 300) + "HTTP/1.1 204 \r\n\r\n") == .status(204))
    }

    @Test func aLongHeader() {
        let lines = String(repeating: "a: b\r\n", count: CheckAnswer.headLimit / 6 + 1)
        #expect(read("HTTP/1.1 200 OK\r\n" + lines) == .invalid)
        #expect(read("HTTP/1.1 200 OK\r\n" + lines.dropLast(60)) == .unfinished)
    }

    @Test func texts() {
        let head = "HTTP/1.1 200 OK\r\nX: all is well\r\n\r\n"
        #expect(read(head, expecting: "all is well") == .unfinished, "a header is not content")
        #expect(read(head + "so: all is well", expecting: "all is well") == .status(200))
        #expect(read(head + "all is wel", expecting: "all is well") == .unfinished)
        #expect(read(head + "all is wel", isEnd: true, expecting: "all is well") == .lacksText(200))
        let fill = String(repeating: "x", count: CheckAnswer.textLimit - 4)
        #expect(read(head + fill + "well", expecting: "well") == .status(200))
        #expect(read(head + fill + "xwell", expecting: "well") == .lacksText(200))
    }
}
