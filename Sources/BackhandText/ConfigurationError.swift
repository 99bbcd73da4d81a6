// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Why a text of the configuration cannot be read, in words for the administrator.
///
/// Names the value. The caller adds the directive's name.
public struct ConfigurationError: Error {
    /// What is wrong with the value, without the directive's name.
    public let message: Message

    /// An error with this text.
    public init(_ message: Message) {
        self.message = message
    }
}

#if !hasFeature(Embedded)
extension ConfigurationError {
    /// The message for tools and tests.
    public var text: String { message.text }
}
#endif
