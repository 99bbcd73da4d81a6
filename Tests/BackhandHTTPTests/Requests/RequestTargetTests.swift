// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct RequestTargetTests {
    @Test(arguments: [
        ("/", "/"), ("/a?b#c", "/a?b"), ("/a#b?c", "/a"), ("//host/a", "//host/a"), ("http://host/a?b", "/a?b"),
        ("http://host?q", "?q"),
        ("http://host", ""), ("http://host#f", ""), ("http:/path", "/path"), ("http:path", "path"),
        ("HTTPS://h:1/", "/"), ("*", "*"), ("", ""),
        ("host:80", "80"), (":/a", ":/a"), ("a?x=http://host/b", "a?x=http://host/b"),
        ("/a?x=http://host/b", "/a?x=http://host/b"), ("#", ""),
        ("http://user@host:80//a", "//a"), ("http://", ""), ("http:", ""),
    ])
    func paths(target: String, path: String) {
        let target = TextOfC(target)
        #expect(pathOfTarget(target.start).string == path)
    }
}
