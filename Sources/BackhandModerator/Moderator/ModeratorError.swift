// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem

/// Why a moderator cannot start, in words for the administrator.
public struct ModeratorError: Error {
    /// The code for the caller in C.
    public let status: bh_status_t
    /// The reason, in UTF-8, without a number and a line's end.
    public let text: String

    init(_ status: bh_status_t, _ text: String) {
        self.status = status
        self.text = text
    }

    /// What was tried, with its value, and what the system said.
    init(cannot action: StaticString, _ error: SystemError) {
        self.init(BH_ESYSTEM, String(form: "cannot {}: {}", .word(action), .text(error.text)))
    }
}
