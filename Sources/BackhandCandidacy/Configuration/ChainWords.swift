// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText

/// Says what is wrong with the words of a Backhand line, if they are not "off", or a function and perhaps its argument:
/// two functions on one line, or an argument of several words.
public func checkWords(_ words: UnsafeBufferPointer<UnsafePointer<CChar>>) throws(ConfigurationError) {
    guard let first = words.first else {
        throw Message("it needs a candidacy function and perhaps its argument, or off").error
    }
    for word in words.dropFirst() where isFunction(word) {
        var message = Message()
        message.quote(Word(word))
        message.add(" after ")
        message.quote(Word(first))
        message.add(": each function needs a Backhand line of its own")
        throw message.error
    }
    if words.count > 2 { throw tooManyWords(words) }
    guard words.count == 2, endsChain(first) else { return }
    var message = Message(Word(first))
    message.add(" takes no argument, but ")
    message.quote(Word(words[1]))
    message.add(" was given")
    throw message.error
}

/// Whether the word ends a chain: "off", and the function's name in C, which users of old took for the word.
public func endsChain(_ word: UnsafePointer<CChar>) -> Bool {
    let old: StaticString = "backhand_off"
    return offWord.equals(word) || old.equals(word)
}

private func isFunction(_ word: UnsafePointer<CChar>) -> Bool {
    (1...CandidacyFunction.lastID).contains { CandidacyFunction.of(id: $0)?.name.equals(word) == true }
}

private func tooManyWords(_ words: UnsafeBufferPointer<UnsafePointer<CChar>>) -> ConfigurationError {
    var message = Message(Word(words[0]))
    message.add(" takes one argument, but got ")
    message.add(words.count - 1)
    message.add(" words: put quotes around them: Backhand ")
    message.add(Word(words[0]).bytes)
    message.add(" \"")
    for index in 1..<words.count {
        if index > 1 { message.add(" ") }
        message.add(Word(words[index]).bytes)
    }
    message.add("\"")
    return message.error
}
