// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@Suite struct AddressTests {
    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.255.255", true), ("126.255.255.255", false), ("128.0.0.0", false), ("::1", true), ("::2", false),
        ("::ffff:127.0.0.1", true), ("2001:db8::1", false),
    ])
    func loopback(text: String, isLoopback: Bool) throws {
        #expect(try #require(parseAddress(text)).isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("169.254.0.0", true), ("169.254.169.254", true), ("169.254.255.255", true), ("169.253.255.255", false), ("169.255.0.0", false),
        ("fe80::1", true), ("febf:ffff::1", true), ("fe7f::1", false), ("fec0::1", false), ("::ffff:169.254.169.254", true),
    ])
    func linkLocal(text: String, isLinkLocal: Bool) throws {
        #expect(try #require(parseAddress(text)).isLinkLocal == isLinkLocal)
    }
}
