// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem
public import BackhandText

/// Reads the argument of BackhandSocketGroup: the name of a group, or # and its number. The largest number stands for
/// no group.
public func readGroup(_ text: UnsafePointer<CChar>) throws(ConfigurationError) -> UInt32 {
    let word = Word(text)
    let isNumber = word.bytes.first == UInt8(ascii: "#")
    if isNumber, let number = word.dropping(1).number(in: 0...UInt64(UInt32.max) - 1) { return UInt32(number) }
    if !isNumber, let group = groupID(named: text) { return group }
    var message = Message(isNumber ? "" : "there is no group ")
    message.quote(word)
    if isNumber { message.add(" is not a group number") }
    throw message.error
}
