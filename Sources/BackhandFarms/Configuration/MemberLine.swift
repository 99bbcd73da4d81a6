// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText

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

    private var hasWeight = false

    /// isPattern: the first word is one, and there is no forward.
    init(_ first: Word, isPattern: Bool) throws(Complaint) {
        if isPattern { return }
        let place = FarmURL.splitPlace(first)
        if let reason = Self.reason(against: first, place?.host) { throw Complaint(BH_ATH_EVALUE, first, reason) }
        if let place { (host, port) = place }
    }

    /// Why there is no server at the place whose host it is; nil: there may be one.
    private static func reason(against place: Word, _ host: Word?) -> StaticString? {
        let colon = UInt8(ascii: ":")
        guard let host, place.bytes.last != colon else { return noHost }
        let isBracketed = host.bytes.first == UInt8(ascii: "[")
        // Numbers alone are an IPv4 address, as which resolvers read "0" and "10.1", too.
        if isBracketed || host.bytes.allSatisfy(isOfIPv4) {
            let text = isBracketed ? host.dropping(1).prefix(host.bytes.count &- 2) : host
            guard let address = text.address, text.contains(colon) == isBracketed else { return noHost }
            guard address.isUnicast else { return "is not the address of a server" }
        } else if !isHostName(host) {
            return noHost
        }
        let hasZero = place.dropping(host.bytes.count &+ 1).bytes.first == UInt8(ascii: "0")
        return hasZero ? "has a port that begins with a zero" : nil
    }

    private static var noHost: StaticString { "is not a name or an address, with or without a port" }

    private static func isOfIPv4(_ byte: UInt8) -> Bool {
        byte == Ascii.point || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// Reads one of the words after the first.
    mutating func take(_ word: Word, isPattern: Bool) throws(Complaint) {
        if let reason = read(word, isPattern: isPattern) { throw Complaint(BH_ATH_EVALUE, word, reason) }
    }

    /// Why the word cannot be there; nil: it was read.
    private mutating func read(_ word: Word, isPattern: Bool) -> StaticString? {
        let (name, value) = word.split(at: UInt8(ascii: "="))
        if let value, name.equals("loadfactor", ignoringCase: true) {
            guard let factor = readThousandths(value, in: 10...100_000) else {
                return "is not a loadfactor from 0.01 to 100"
            }
            if hasWeight { return "is the second loadfactor of the line" }
            (hasWeight, weight) = (true, UInt32(truncatingIfNeeded: (factor &+ 5) / 10))
        } else if let value, !isPattern, name.equals("forward", ignoringCase: true) {
            guard FarmURL(value) != nil else { return "has no whole URL, such as http://sorry.example.com/" }
            if forward != nil { return "is the second forward of the line" }
            forward = value
        } else {
            return isPattern
                ? "is unknown: loadfactor= is known" : "is unknown: loadfactor= and forward= are known"
        }
        return nil
    }
}
