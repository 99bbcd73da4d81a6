// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import Testing

@Test(
    arguments: [
        ("web1", 4), ("web1:80", 4), ("web1,3", 4), ("web1.example:4445,1", 12), ("10.0.0.4:80", 0), ("10.0.0.4", 0),
        ("2001:db8::4", 0), ("fe80::1", 0), ("abcd:ef:1", 0), ("", 0), (":80", 0), (",1", 0), ("10.0.0.4x", 9),
    ])
func hostNames(text: String, length: Int) {
    #expect(text.withCString { Word($0).hostNameLength } == length)
}
