// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

@testable import BackhandModerator

@Suite struct KeyFileTests {
    /// What is given; the folder that is looked for, if any; whether it may be a key if that is there, and if not.
    @Test(
        arguments: [
            ("conf/key", nil, false, false),
            (String(repeating: "k", count: 32), nil, true, true),
            ("/" + String(repeating: "k", count: 32), nil, true, true),
            ("kkkkkkkkkkkkkkkk/" + String(repeating: "k", count: 32), "/etc/httpd/kkkkkkkkkkkkkkkk/", false, true),
            ("/etc/" + String(repeating: "k", count: 32), "/etc/", false, true),
        ] as [(String, String?, Bool, Bool)])
    func keysAreNotNamed(given: String, folder: String?, there: Bool, missing: Bool) {
        let path = given.hasPrefix("/") ? given : "/etc/httpd/" + given
        for (exists, expected) in [(true, there), (false, missing)] {
            var asked: String?
            let may = given.withCString { given in
                path.withCString { path in
                    mayBeKey(given: Word(given), path: Word(path)) { name in
                        asked = String(cString: name)
                        return exists
                    }
                }
            }
            #expect(may == expected && asked == folder)
        }
    }
}
