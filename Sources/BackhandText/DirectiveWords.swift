// Licensed under the Apache License, Version 2.0; see LICENSE.

/// The words of a directive's arguments as httpd reads them (`ap_getword_conf`): blanks are between them, and quotes
/// around one that has blanks. Quotes may also stand after an equals sign: `text="all is well"`.
public struct DirectiveWords {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var place = 0

    /// Borrows the arguments.
    public init(_ arguments: Word) {
        bytes = arguments.bytes
    }

    private func isBlank(_ byte: UInt8) -> Bool {
        byte == Ascii.space || (byte >= Ascii.tab && byte <= Ascii.carriageReturn)
    }

    /// The quote that stands here; nil: none does.
    private mutating func takeQuote() -> UInt8? {
        guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") || bytes[place] == UInt8(ascii: "'") else {
            return nil
        }
        place += 1
        return bytes[place - 1]
    }

    /// The next word without its quotes; empty: there is none.
    public mutating func next() -> [UInt8] {
        while place < bytes.count, isBlank(bytes[place]) { place += 1 }
        guard place < bytes.count else { return [] }
        var quote = takeQuote()
        var word: [UInt8] = []
        while place < bytes.count, quote == nil ? !isBlank(bytes[place]) : bytes[place] != quote {
            let isEscape = bytes[place] == backslash && place + 1 < bytes.count
            if isEscape, bytes[place + 1] == backslash || bytes[place + 1] == quote { place += 1 }
            word.append(bytes[place])
            place += 1
            if quote == nil, !isEscape, word.last == UInt8(ascii: "=") { quote = takeQuote() }
        }
        if quote != nil { place += 1 }
        return word
    }
}

private let backslash = UInt8(ascii: "\\")
