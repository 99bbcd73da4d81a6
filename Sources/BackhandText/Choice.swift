// Licensed under the Apache License, Version 2.0; see LICENSE.

/// Words of which one is to be chosen, in the order in which an error names them.
public struct Choice {
    private let words: UnsafeBufferPointer<UnsafePointer<CChar>?>

    /// Borrows the words, of which there is at least one.
    public init(_ words: UnsafeBufferPointer<UnsafePointer<CChar>?>) {
        self.words = words
    }

    /// Which of the words this is, or what is wrong.
    ///
    /// - Parameter ignoringCase: upper and lower case are the same.
    public func parse(_ word: Word, ignoringCase: Bool) throws(ConfigurationError) -> Int {
        for (index, each) in words.enumerated() {
            if let each, word.equals(Word(each), ignoringCase: ignoringCase) { return index }
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
