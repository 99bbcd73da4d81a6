// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct WriterTests {
    @Test(arguments: [("a", 1, "a7"), ("b", 3, "b007"), ("", 0, "7")])
    func writesNumbers(before: String, digits: Int, text: String) {
        let before = TextOfC(before)
        #expect(
            written {
                $0.add(before.piece); $0.add(7, digits: digits)
            } == text)
    }

    @Test func writesTheLargestNumber() { #expect(written { $0.add(UInt64.max) } == "18446744073709551615") }
}
