// Licensed under the Apache License, Version 2.0; see LICENSE.

/// The text of a file with keys: a key a line, blank lines, and comments that begin with "#".
public struct KeyText {
    /// The first signs; both are accepted, so that no moment of a change is without a common one.
    public static var most: Int { 2 }
    /// 32 hexadecimal digits are 128 bits, which cannot be guessed; more than 256 characters are the wrong file.
    private static var lengths: ClosedRange<Int> { 32...256 }

    private let text: Word

    /// Borrows the text.
    public init(_ text: Word) {
        self.text = text
    }

    /// Whether the word may be a key.
    public static func isKey(_ word: Word) -> Bool {
        lengths.contains(word.bytes.count) && word.bytes.allSatisfy { $0 > Ascii.space && $0 <= UInt8(ascii: "~") }
    }

    /// Hands each key over, or says what is wrong with the text. take: false if nothing can be signed with it.
    public func read(_ take: (Word) -> Bool) throws(ConfigurationError) {
        var (number, keys) = (0, 0)
        for line in text.pieces(at: Ascii.newline) {
            number += 1
            let key = line.trimmed
            if key.bytes.isEmpty || key.bytes[0] == UInt8(ascii: "#") { continue }
            guard Self.isKey(key) else {
                throw wrong(
                    number,
                    """
                     is not a key: 32 to 256 printable characters without blanks; make one with openssl rand -hex 32
                    """)
            }
            guard keys < Self.most else { throw wrong(number, " is a third key: one signs, one more is accepted") }
            guard take(key) else { throw Message("libcrypto has no HMAC-SHA-256").error }
            keys += 1
        }
        guard keys > 0 else { throw Message("it holds no key; make one with openssl rand -hex 32").error }
    }

    @inline(never)
    private func wrong(_ line: Int, _ why: StaticString) -> ConfigurationError {
        var message = Message("line ")
        message.add(line)
        message.add(why)
        return message.error
    }
}

extension Word {
    /// Without blanks around it, and without carriage returns at its end.
    fileprivate var trimmed: Word {
        var slice = bytes[...]
        while let first = slice.first, first == Ascii.space || first == Ascii.tab { slice = slice.dropFirst() }
        while let last = slice.last, last == Ascii.space || last == Ascii.tab || last == Ascii.carriageReturn {
            slice = slice.dropLast()
        }
        return Word(UnsafeBufferPointer(rebasing: slice))
    }
}
