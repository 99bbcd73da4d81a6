// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// What an AthMember or AthMembers line says.
struct MemberLine {
    /// Of AthMember: "app01.example.com", "[::1]".
    private(set) var host = Word(UnsafeBufferPointer(start: nil, count: 0))
    /// 0: none is written.
    private(set) var port: UInt16 = 0
    /// Hundredths of what the others get.
    private(set) var weight: UInt32 = 100
    /// A URL, with a NUL after it as the word has one.
    private(set) var forward: Word?

    /// isPattern: the first word is one, and there is no forward.
    init(_ first: Word, isPattern: Bool) throws(Complaint) {
        if isPattern { return }
        guard let place = FarmURL.splitPlace(first), Self.isHost(place.host), first.bytes.last != Self.colon
        else {
            throw Complaint(BH_ATH_EVALUE, first, "is not a name or an address, with or without a port")
        }
        (host, port) = place
    }

    private static func isHost(_ host: Word) -> Bool {
        host.bytes.first == UInt8(ascii: "[")
            ? host.contains(colon) && host.bytes.allSatisfy(isOfAddress) : isPlain(host)
    }

    private static var colon: UInt8 { UInt8(ascii: ":") }

    /// Of an IPv6 address in brackets.
    private static func isOfAddress(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), colon, UInt8(ascii: "["), UInt8(ascii: "]"):
            true
        default: false
        }
    }

    /// Reads one of the words after the first.
    mutating func take(_ word: Word, isPattern: Bool) throws(Complaint) {
        let (name, value) = word.split(at: UInt8(ascii: "="))
        if let value, name.equals("loadfactor", ignoringCase: true) {
            guard let factor = readThousandths(value, in: 10...100_000) else {
                throw Complaint(BH_ATH_EVALUE, word, "is not a loadfactor from 0.01 to 100")
            }
            weight = UInt32(truncatingIfNeeded: (factor &+ 5) / 10)
        } else if let value, !isPattern, name.equals("forward", ignoringCase: true) {
            guard FarmURL(value) != nil else {
                throw Complaint(BH_ATH_EVALUE, word, "has no whole URL, such as http://sorry.example.com/")
            }
            forward = value
        } else if isPattern {
            throw Complaint(BH_ATH_ESYNTAX, word, "is unknown: loadfactor= is known")
        } else {
            throw Complaint(BH_ATH_ESYNTAX, word, "is unknown: loadfactor= and forward= are known")
        }
    }
}

/// Whether it can stand where a URL has its host, and is no address with colons: letters, digits, '.', '_' and '-', 253
/// at most.
func isPlain(_ name: Word) -> Bool {
    name.isName && name.bytes.count <= 253 && !name.contains(UInt8(ascii: ":")) && !name.contains(UInt8(ascii: "["))
        && !name.contains(UInt8(ascii: "]"))
}
