// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct KeepAliveTests {
    @Test(
        arguments: [
            ("timeout=5", 5), ("Keep-Alive: max=100, Timeout=60\r\n", 60), ("timeout=", 0), ("timeout=x", 0),
            ("timeout= 7", 7), ("timeout=+7", 7),
            ("timeout=4294967295", .max), ("timeout=99999999999999999999", .max), ("timeout=-1", .max),
            ("timeout=-0", 0), ("max=5", nil), ("", nil),
            ("timeout", nil), ("time out=5", nil), ("xtimeout=5", 5), ("timeout=5, timeout=6", 5),
        ] as [(String, UInt32?)])
    func keepAlive(text: String, seconds: UInt32?) {
        let text = TextOfC(text)
        #expect(readKeepAliveTimeout(text.start) == seconds)
    }
}
