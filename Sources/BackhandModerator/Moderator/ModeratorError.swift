// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem
public import BackhandText

/// Why a moderator cannot start, in words for the administrator.
public struct ModeratorError: Error {
    /// The code for the caller in C.
    public let status: bh_status_t
    /// The reason, in UTF-8, without a number and a line's end.
    public let message: Message

    init(_ status: bh_status_t, _ message: Message) {
        self.status = status
        self.message = message
    }

    /// What was tried, with its value, and what the system said.
    init(cannot action: StaticString, _ error: SystemError) {
        self.init(BH_ESYSTEM, Message(form: "cannot {}: {}", .word(action), .text(error.message)))
    }
}

#if !hasFeature(Embedded)
extension ModeratorError {
    /// The message for tests.
    var text: String { message.text }
}
#endif
