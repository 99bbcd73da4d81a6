// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import CBackhand
import Testing

@testable import BackhandFarms

@Suite("URLs that name a farm")
struct FarmURLTests {
    private func parts(_ text: String) -> [String]? {
        text.withCString { text in
            var url = bh_ath_url_t()
            guard bh_ath_url_split(text, &url) else { return nil }
            return [url.origin, url.scheme, url.host, url.rest].map(\.string) + [String(url.port)]
        }
    }

    @Test(arguments: [
        ("http://farm_one/a?b#c", ["http://farm_one", "http", "farm_one", "/a?b#c", "0"]),
        ("fcgi://farm:9000", ["fcgi://farm:9000", "fcgi", "farm", "", "9000"]),
        ("h2c://farm:?q", ["h2c://farm:", "h2c", "farm", "?q", "0"]),
        ("http://[::1]:8080/", ["http://[::1]:8080", "http", "[::1]", "/", "8080"]),
        ("http://[::1]", ["http://[::1]", "http", "[::1]", "", "0"]),
        ("ftp://user:word@farm/x@y", ["ftp://user:word@farm", "ftp", "farm", "/x@y", "0"]),
        ("WS+a-b.1://F#x", ["WS+a-b.1://F", "WS+a-b.1", "F", "#x", "0"]),
    ])
    func parts(of text: String, are expected: [String]) {
        #expect(parts(text) == expected)
    }

    @Test(arguments: [
        "", "one", "/x", "http:/one/", "http:one", "://one/", "http://", "http:///x", "http://:80/",
        "http://one:80x/", "http://one:0/", "http://one:65536/", "http://[::1/", "http://[::1]x/", "ht tp://one/",
        "unix:/tmp/s|http://one/",
    ])
    func isNone(_ text: String) {
        #expect(parts(text) == nil)
    }

    @Test(arguments: [("a", "A", true), ("", "", true), ("farm", "farms", false), ("a", "b", false)])
    func names(_ left: String, _ right: String, _ same: Bool) {
        left.withCString { left in
            right.withCString { right in
                let pieces = [left, right].map { bh_piece_t(start: $0, length: Word($0).bytes.count) }
                #expect(bh_ath_names_equal(pieces[0], pieces[1]) == same)
            }
        }
    }

    @Test(arguments: [
        ("a=b; Domain=example.com; Path=/", "example.com"),
        ("a=b;domain = .Example.com ", "Example.com"),
        ("a=b; DOMAIN=one; Domain=two", "two"),
        ("Domain=x; Path=/", nil), ("a=Domain=x", nil), ("a=b; Domain=", nil), ("a=b; Domain", nil),
        ("a=b; Domain=. ;", nil), ("", nil), ("a=b; xDomain=y;;", nil),
    ])
    func domain(of cookie: String, is expected: String?) {
        cookie.withCString { cookie in
            let domain = bh_ath_cookie_domain(cookie)
            #expect((domain.start == nil ? nil : domain.string) == expected)
        }
    }

    @Test func nothingIsNoURL() {
        var url = bh_ath_url_t()
        #expect(!bh_ath_url_split(nil, &url) && !bh_ath_url_split("http://a/", nil))
        #expect(bh_ath_cookie_domain(nil).start == nil)
    }
}
