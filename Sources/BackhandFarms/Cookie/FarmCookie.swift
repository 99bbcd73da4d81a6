// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// The cookie by which an application says where the requests of a client go (docs/athena-cookies.md):
// "1.stay.1893456000.app01.example.com:8080.", and a signature in hexadecimal digits.

/// Keeps what is signed here from being taken for what the same key signs elsewhere.
private let purpose: StaticString = "Backhand-Cookie\n"

private let dot = UInt8(ascii: ".")

/// Longer values are of no such cookie: what is before the target has at most 23 bytes, what is after it 65.
private let mostBytes = Int(BH_ATH_NAME_MOST) &+ 96

/// Room for all that is signed: the purpose, the farm, a line feed, the value up to its signature.
private let signedRoom = 1024

/// The value of the cookie, in its parts. They borrow the text.
struct FarmCookie {
    let steer: bh_ath_steer_t
    /// Seconds since 1970.
    let expires: Int64
    /// A member as its line writes it, or a farm.
    let target: Word
    /// What is signed of it.
    let signed: Word
    let signature: InlineArray<32, UInt8>

    /// nil: it is not such a value.
    init?(_ value: Word) {
        guard value.bytes.count <= mostBytes, let end = value.bytes.lastIndex(of: dot) else { return nil }
        signed = value.prefix(end)
        var signature = InlineArray<32, UInt8>(repeating: 0)
        guard readSignature(value.dropping(end &+ 1), into: &signature) else { return nil }
        self.signature = signature
        let (version, rest) = signed.split(at: dot)
        guard version.equals("1"), let (word, more) = rest?.split(at: dot), let (time, target) = more?.split(at: dot),
            let steer = Self.steer(word), let expires = time.number(in: 0...999_999_999_999), let target, target.isName
        else { return nil }
        self.steer = steer
        self.expires = Int64(expires)
        self.target = target
    }

    private static func steer(_ word: Word) -> bh_ath_steer_t? {
        if word.equals("stay") { return BH_ATH_STEER_STAY }
        if word.equals("prefer") { return BH_ATH_STEER_PREFER }
        return word.equals("farm") ? BH_ATH_STEER_FARM : nil
    }

    /// Whether it is for this farm, of one of its keys, and not too old.
    func counts(_ rules: bh_ath_cookie_rules_t) -> Bool {
        guard expires > rules.now_s, let keys = rules.keys, let verify = rules.verify else { return false }
        let farm = Word(rules.farm)
        guard farm.bytes.count <= Int(BH_ATH_NAME_MOST) else { return false }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: signedRoom) { room in
            guard let start = room.baseAddress else { return false }
            var writer = LineWriter(start, room.count, reserved: 0)
            writer.add(purpose)
            for byte in farm.bytes { writer.add(byte) }
            writer.add(Ascii.newline)
            for byte in signed.bytes { writer.add(byte) }
            return withUnsafeBytes(of: signature) { signature in
                guard let bytes = signature.baseAddress else { return false }
                return verify(keys, start, writer.length, bytes.assumingMemoryBound(to: UInt8.self))
            }
        }
    }
}
