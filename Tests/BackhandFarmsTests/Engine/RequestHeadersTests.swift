// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

@Suite struct RequestHeadersTests {
    @Test(arguments: [
        ("application/json", true), ("text/html, Application/JSON;q=0.5", true), (" application/json ; q=0.001", true),
        ("application/json;version=0", true), ("application/json;q=0", false), ("application/json; Q = 0.000", false),
        ("application/json;q=", true), ("text/plain", false), ("*/*", false), ("application/*", false),
        ("application/jsonp", false), ("", false), (",;,", false),
    ])
    func takesJSON(accept: String, isTaken: Bool) {
        let answer = Array(accept.utf8).withUnsafeBufferPointer { acceptsJSON(.init($0)) }
        #expect(answer == isTaken)
    }

    @Test(arguments: [
        ("Origin", true), ("REFERER", true), ("cookie", true), ("Accept-Language", true), ("Sec-Fetch-Mode", true),
        ("sec-fetch-", true), ("Sec-Fetch", false), ("Cookie2", false), ("Accept", false), ("", false),
    ])
    func isSentByBrowsersAlone(header: String, isTheirs: Bool) {
        #expect(bh_ath_is_of_browsers(header) == isTheirs)
    }
}
