// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Why a text of the configuration cannot be read, in words for the administrator.
///
/// Names the value. The directive's name is added by whoever knows it.
public struct ConfigurationError: Error {
    public let text: String

    public init(_ text: String) {
        self.text = text
    }
}
