// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct HeaderKindTests {
    @Test(
        arguments: [
            ("Vary", .list), ("ACCEPT-ch", .list), ("pragma", .directives), ("Warning", .lines),
            ("set-cookie2", .cookies), ("etag", .content), ("te", .ours), ("backhand-anything", .ours),
            ("Backhand", .single), ("Vary2", .single), ("", .single), ("Location", .single),
        ] as [(String, HeaderKind)])
    func kinds(name: String, kind: HeaderKind) {
        let name = TextOfC(name)
        #expect(withExtendedLifetime(name) { HeaderKind.of(name.piece) } == kind)
    }
}
