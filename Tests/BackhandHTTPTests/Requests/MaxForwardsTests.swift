// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct MaxForwardsTests {
    @Test(
        arguments: [
            ("1", 1), ("+7", 7), ("007", 7), (" 7", 7), ("9223372036854775807", .max), ("0", nil), ("-1", nil),
            ("", nil), ("7 ", nil), ("7x", nil),
            ("9223372036854775808", nil), ("99999999999999999999999", nil), ("+", nil), ("++1", nil),
        ] as [(String, Int64?)])
    func maxForwards(text: String, number: Int64?) {
        let text = TextOfC(text)
        #expect(readMaxForwards(text.start) == number)
    }
}
