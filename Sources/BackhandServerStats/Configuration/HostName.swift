// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText

extension Word {
    /// Bytes of the host's name that it begins with, before a port or a number of hops; 0: there is none. A name has
    /// letters, and no colons as IPv6 has them.
    public var hostNameLength: Int {
        let end = bytes.firstIndex { $0 == colon || $0 == UInt8(ascii: ",") } ?? bytes.count
        let rest = dropping(end)
        if rest.bytes.first == colon, rest.dropping(1).contains(colon) { return 0 }
        return prefix(end).hasLetters ? end : 0
    }
}

private var colon: UInt8 { UInt8(ascii: ":") }
