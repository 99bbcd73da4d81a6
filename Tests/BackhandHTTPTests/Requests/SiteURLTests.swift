// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct SiteURLTests {
    private func rename(
        _ value: String, _ host: String, tls: Bool, _ body: (UnsafePointer<CChar>, SiteName, inout Writer) -> Bool
    ) -> String? {
        let (value, host) = (TextOfC(value), TextOfC(host))
        var changed = false
        let text = written { changed = body(value.start, SiteName(host: host.start, tls: tls), &$0) }
        #expect(changed || text == value.piece.string, "what does not change is written as it is")
        return changed ? text : nil
    }

    @Test(arguments: [
        ("https://shop.test/a", "shop.test", false, "http://shop.test/a"),
        ("HTTP://SHOP.test:80", "shop.test", true, "https://shop.test"),
        ("http://shop.test:80/", "shop.test", true, "https://shop.test/"),
        ("http://shop.test:8080/?a#b", "shop.test:8080", true, "https://shop.test:8080/?a#b"),
        ("https://[::1]:443?q", "[::1]", false, "http://[::1]?q"),
        ("http://shop.test#f", "shop.test:", true, "https://shop.test:#f"),
    ])
    func destinations(url: String, host: String, tls: Bool, renamed: String) {
        #expect(rename(url, host, tls: tls, renameURL) == renamed)
    }

    @Test(arguments: [
        ("https://shop.test/a", "shop.test", true), ("HTTPS://shop.test/a", "shop.test", true),
        ("https://shop.test/a", "other.test", false),
        ("https://shop.test:8443/a", "shop.test", false), ("/a", "shop.test", false),
        ("ftp://shop.test/", "shop.test", false), ("", "", false),
        ("https:/shop.test/", "shop.test", false), ("https:///a", "", false),
        ("https://a@shop.test/", "shop.test", false),
        ("http://shop.test/", "", true), ("https://shop.test:x/", "shop.test", false),
        ("xhttps://shop.test/", "shop.test", false),
    ])
    func stay(url: String, host: String, tls: Bool) {
        #expect(rename(url, host, tls: tls, renameURL) == nil)
    }

    @Test(
        arguments: [
            ("<http://shop.test/a> (<opaque>)", "<https://shop.test/a> (<opaque>)"),
            (
                "(<http://shop.test/a>) <http://shop.test/b> ([\"<)\"] )",
                "(<http://shop.test/a>) <https://shop.test/b> ([\"<)\"] )"
            ),
            (
                "<http://shop.test/a> (<x>) <http://other.test/> (<y>)",
                "<https://shop.test/a> (<x>) <http://other.test/> (<y>)"
            ),
            ("<http://shop.test/a>", "<https://shop.test/a>"),
            ("<http://shop.test>(<z>)<http://shop.test>", "<https://shop.test>(<z>)<https://shop.test>"),
            ("<http://shop.test/a", nil), ("(<http://shop.test/a>", nil), ("(\"(\" <http://shop.test/a>", nil),
            ("", nil), ("<", nil), ("<>", nil),
            ("<https://shop.test/a> (<x>)", nil),
        ] as [(String, String?)])
    func conditions(value: String, renamed: String?) {
        #expect(rename(value, "shop.test", tls: true, renameTags) == renamed)
    }
}
