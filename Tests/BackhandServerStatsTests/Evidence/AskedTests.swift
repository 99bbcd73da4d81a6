// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@Suite struct AskedTests {
    private func bits(_ client: [UInt8], _ url: String?) -> bh_asked_t {
        client.withUnsafeBytes { client in
            guard let url else { return asked(client: client, url: nil) }
            return url.withCString { asked(client: client, url: $0) }
        }
    }

    /// What one client and one page are.
    @Test(
        arguments: [
            ([10, 0, 0, 4], [10, 0, 0, 4], true), ([10, 0, 0, 4], [10, 0, 0, 6], false), ([], [], true),
            // A /64 is one client.
            (
                [32, 1, 13, 184, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1],
                [32, 1, 13, 184, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9], true
            ),
            (
                [32, 1, 13, 184, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1],
                [32, 1, 13, 184, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1], false
            ),
        ] as [([UInt8], [UInt8], Bool)])
    func clients(one: [UInt8], other: [UInt8], same: Bool) {
        #expect((bits(one, "/").client == bits(other, "/").client) == same)
        #expect(bits(one, "/").client.nonzeroBitCount == 1)
    }

    @Test(
        arguments: [
            ("/a", "/a", true), ("/a", "/b", false), ("/a?x=1", "/a?x=2", true), ("/a?", "/a", true), ("", nil, true),
            (String(repeating: "a", count: 256) + "b", String(repeating: "a", count: 256) + "c", true),
        ] as [(String, String?, Bool)])
    func pages(one: String, other: String?, same: Bool) {
        #expect((bits([1], one).url == bits([1], other).url) == same)
        #expect(bits([1], one).url.nonzeroBitCount == 1)
    }
}
