// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// A directive with its arguments, or the beginning or the end of a section.
struct ConfigurationLine {
    /// The directive's name, then its arguments without their quotes: "<Server" or "</Server" for a section.
    let words: [[UInt8]]
    /// The file as it was named.
    let file: Message
    /// From 1 on; the last one of a line that goes on after a backslash.
    let number: Int

    /// The directive's name.
    var name: [UInt8] { words[0] }

    /// What comes after the name.
    var arguments: ArraySlice<[UInt8]> { words.dropFirst() }

    /// Whether the directive has this name; upper and lower case are the same.
    func isNamed(_ name: StaticString) -> Bool {
        words[0].withUnsafeBufferPointer { Word($0).equals(name, ignoringCase: true) }
    }

    /// An error of this line: its place, the directive's name, and why.
    func wrong(_ why: Message) -> ConfigurationError {
        var message = file
        message.add(":")
        message.add(number)
        message.add(": ")
        name.withUnsafeBufferPointer { message.add($0) }
        if name.first == UInt8(ascii: "<") { message.add(">") }
        message.add(": ")
        message.add(why)
        return message.error
    }

    /// The same with a fixed reason.
    func wrong(_ why: StaticString) -> ConfigurationError { wrong(Message(why)) }

    /// Does something with an argument; an error of it becomes one of this line.
    func naming<Result>(
        _ body: () throws(ConfigurationError) -> Result
    ) throws(ConfigurationError) -> Result {
        do throws(ConfigurationError) {
            return try body()
        } catch {
            throw wrong(error.message)
        }
    }
}
