// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandHTTP

struct PieceTests {
    @Test(arguments: [
        ("", "", true), ("a", "A", true), ("Zz-9", "zZ-9", true), ("a", "ab", false), ("a", "b", false),
        ("[", "{", false), ("@", "`", false),
        ("é", "É", false),
    ])
    func equalsButForCase(left: String, right: String, equal: Bool) {
        let (left, right) = (TextOfC(left), TextOfC(right))
        #expect(left.piece.equals(right.piece) == equal && right.piece.equals(left.piece) == equal)
    }

    @Test(arguments: [("a;b", "a"), (";b", ""), ("", ""), ("ab", "ab")])
    func upToAByte(text: String, before: String) {
        let text = TextOfC(text)
        #expect(text.piece.upTo(UInt8(ascii: ";")).string == before)
        #expect(text.piece.upTo(anyOf: ";?").string == before)
    }

    @Test(arguments: [("Path=/", "/"), ("path=", ""), ("pat", nil), ("", nil), ("pathe/", nil)] as [(String, String?)])
    func takesABeginning(text: String, rest: String?) {
        let text = TextOfC(text)
        var piece = text.piece
        #expect(piece.take(anyCase: "path=") == (rest != nil))
        #expect(piece.string == rest ?? text.piece.string)
    }

    @Test(arguments: [
        ("10.0.0.4", true), ("2001:db8::4", true), ("0000:0000:0000:0000:0000:ffff:255.255.255.255", true), ("", false),
        ("web4", false),
        ("10.0.0.4 ", false), ("0000:0000:0000:0000:0000:ffff:255.255.255.2551", false),
        (String(repeating: "1", count: 999), false),
    ])
    func addresses(text: String, isAddress: Bool) {
        let text = TextOfC(text)
        #expect((text.piece.address != nil) == isAddress)
    }
}
