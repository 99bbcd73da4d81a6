// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandHTTP
import Testing

@Suite struct FilterNamesTests {
    @Test(arguments: [
        ("fixup_headers_out", true), ("CACHE_SAVE", true), ("backhand_merge", true), ("old_write", true),
        ("deflate", false), ("fixup", false), ("", false),
    ])
    func filtersOfServerAndFront(_ name: String, runsInBoth: Bool) {
        #expect(BackhandHTTP.runsInBoth(filter: name) == runsInBoth)
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK", true), ("content-type: text/html", true), ("Connection: close", true),
        ("X-HTTP/: 1", false), ("Set-Cookie: a=b", false), ("", false),
    ])
    func linesThatModProxyReads(_ line: String, isForProxy: Bool) {
        #expect(BackhandHTTP.isForProxy(line: line) == isForProxy)
    }
}
