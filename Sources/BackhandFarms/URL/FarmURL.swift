// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// The parts of an absolute URL with a host. They borrow the text.
struct FarmURL {
    /// What stands before the path.
    let origin: Word
    let scheme: Word
    /// An IPv6 address has its brackets.
    let host: Word
    /// 0: none is written.
    let port: UInt16
    /// From the path on; a URL may have none.
    let rest: Word

    /// nil: a text of another form.
    init?(_ text: Word) {
        let (scheme, tail) = text.split(at: UInt8(ascii: ":"))
        guard let tail, Self.isScheme(scheme), tail.prefix(2).equals("//") else { return nil }
        let after = tail.dropping(2)
        let length = Self.authority(of: after).bytes.count
        guard let (host, port) = Self.splitPlace(Self.withoutUser(after.prefix(length))) else { return nil }
        self.scheme = scheme
        self.host = host
        self.port = port
        rest = after.dropping(length)
        origin = text.prefix(text.bytes.count &- rest.bytes.count)
    }

    /// What stands before the path; text: what follows "://".
    static func authority(of text: Word) -> Word {
        text.prefix(text.bytes.firstIndex(where: isEnd) ?? text.bytes.count)
    }

    /// "farm_one:80" of "user:password@farm_one:80".
    static func withoutUser(_ authority: Word) -> Word {
        authority.dropping((authority.bytes.lastIndex(of: UInt8(ascii: "@")) ?? -1) &+ 1)
    }

    private static func isScheme(_ text: Word) -> Bool {
        !text.bytes.isEmpty && text.bytes.allSatisfy(isSchemeByte)
    }

    /// "app01:8080", "[::1]", "app01".
    static func splitPlace(_ place: Word) -> (host: Word, port: UInt16)? {
        let end: Int
        if place.bytes.first == UInt8(ascii: "[") {
            guard let close = place.bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            end = close &+ 1
        } else {
            end = place.bytes.firstIndex(of: UInt8(ascii: ":")) ?? place.bytes.count
        }
        let (host, tail) = (place.prefix(end), place.dropping(end))
        guard end > 0 else { return nil }
        guard let colon = tail.bytes.first else { return (host, 0) }
        guard colon == UInt8(ascii: ":") else { return nil }
        if tail.bytes.count == 1 { return (host, 0) }
        guard let port = tail.dropping(1).number(in: 1...65535) else { return nil }
        return (host, UInt16(truncatingIfNeeded: port))
    }
}

/// What ends the place of a URL.
private func isEnd(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
}

private func isSchemeByte(_ byte: UInt8) -> Bool {
    switch Ascii.lowered(byte) {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"),
        UInt8(ascii: "-"), UInt8(ascii: "."):
        true
    default: false
    }
}
