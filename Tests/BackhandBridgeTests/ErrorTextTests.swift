// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import BackhandText
import Testing

@testable import BackhandBridge

/// Everything else of the border is tested from C, as it is used: Tests/Contract.
@Suite struct ErrorTextTests {
    /// The text, the size of the buffer, and what C finds in it.
    @Test(arguments: [("why", 8, "why"), ("why", 4, "why"), ("why", 3, "wh"), ("why", 1, ""), ("", 1, "")])
    func cutsToFit(text: String, size: Int, found: String) {
        var buffer = [CChar](repeating: 0x7e, count: 8)
        write(Message(Array(text.utf8)), to: &buffer, size)
        #expect(String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) == found)
        #expect(buffer[size...].allSatisfy { $0 == 0x7e })
    }

    @Test func toleratesNoBuffer() {
        write(Message("why"), to: nil, 8)
        var byte = CChar(0x7e)
        write(Message("why"), to: &byte, 0)
        #expect(byte == 0x7e)
    }
}
