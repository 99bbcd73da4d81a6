// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// The statuses of HTTP that are good: "200-299,304". Borrows its text.
struct StatusRanges {
    private let text: Word

    /// A text that was found good.
    init(_ text: Word) { self.text = text }

    /// The same, or what is wrong with it.
    init(checking text: Word) throws(ConfigurationError) {
        self.text = text
        for piece in text.pieces(at: UInt8(ascii: ",")) {
            guard Self.range(piece) != nil else {
                throw ConfigurationError(piece, " is neither a status nor a range of them, as 200-399")
            }
        }
    }

    func contains(_ status: UInt32) -> Bool {
        for piece in text.pieces(at: UInt8(ascii: ",")) {
            if let range = Self.range(piece), range.contains(UInt64(status)) { return true }
        }
        return false
    }

    private static func range(_ piece: Word) -> ClosedRange<UInt64>? {
        let (head, tail) = piece.split(at: UInt8(ascii: "-"))
        guard let least = head.number(in: 100...599), let most = (tail ?? head).number(in: least...599) else {
            return nil
        }
        return least...most
    }
}
