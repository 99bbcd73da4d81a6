// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandModerator
import BackhandText
import Testing

@Suite struct SocketGroupTests {
    @Test(arguments: [("root", UInt32(0)), ("#0", 0), ("#42", 42), ("#4294967294", 4_294_967_294)])
    func namesAndNumbers(_ text: String, group: UInt32) throws {
        #expect(try readGroup(text) == group)
    }

    @Test(arguments: [
        ("#4294967295", "'#4294967295' is not a group number"), ("#", "'#' is not a group number"),
        ("#-1", "'#-1' is not a group number"), ("nobody-has-it", "there is no group 'nobody-has-it'"),
        ("", "there is no group ''"),
    ])
    func othersAreErrors(_ text: String, why: String) {
        do throws(ConfigurationError) {
            _ = try readGroup(text)
            Issue.record("it was read")
        } catch {
            #expect(error.text == why)
        }
    }
}
