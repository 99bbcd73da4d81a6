// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// By what evidence knows a client and a URL: a bit of 64 for each.
///
/// - Parameters:
///   - client: the bytes of its address. Of IPv6, those of its /64 count, because a client has all of it.
///   - url: one page with a thousand queries is one, so that its query does not count. Its first 256 bytes are enough.
public func asked(client: UnsafeRawBufferPointer, url: UnsafePointer<CChar>?) -> bh_asked_t {
    var (who, what) = (FNV1a(), FNV1a())
    for index in 0..<min(client.count, 8) { who.mix(client[index]) }
    if let url {
        var length = 0
        while length < 256, url[length] != 0, url[length] != question {
            what.mix(UInt8(bitPattern: url[length]))
            length &+= 1
        }
    }
    return bh_asked_t(client: who.bit, url: what.bit)
}

/// FNV-1a; the upper bits of a last multiplication tell which of 64.
private struct FNV1a {
    private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }

    var bit: UInt64 { 1 << ((hash &* 0x9e37_79b9_7f4a_7c15) >> 58) }
}

/// What begins the query.
private let question = CChar(bitPattern: UInt8(ascii: "?"))
