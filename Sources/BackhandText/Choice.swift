// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Words of which a directive takes one, in the order in which an error names them.
public struct Choice {
    private let words: UnsafeBufferPointer<UnsafePointer<CChar>?>

    /// Borrows the words, of which there is at least one.
    public init(_ words: UnsafeBufferPointer<UnsafePointer<CChar>?>) {
        self.words = words
    }

    /// Which of the words this is, where upper and lower case are the same, or what is wrong.
    public func parse(_ word: Word) throws(ConfigurationError) -> Int {
        for (index, each) in words.enumerated() {
            if let each, word.equals(ignoringCase: Word(each)) { return index }
        }
        var message = Message()
        message.quote(word)
        message.add(words.count == 2 ? " is neither " : " is none of ")
        for (index, each) in words.enumerated() {
            if index > 0 { message.add(index < words.count - 1 ? ", " : words.count == 2 ? " nor " : " and ") }
            if let each { message.add(Word(each).bytes) }
        }
        throw message.error
    }
}
