// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand
internal import CSystem

/// Reads "10.0.0.4" or "2001:db8::4"; nil for anything else. Wraps inet_pton.
public func parseAddress(_ text: UnsafePointer<CChar>) -> bh_address_t? {
    var ipv4 = UInt32(0)
    if inet_pton(AF_INET, text, &ipv4) == 1 {
        return bh_address_t(ipv4: UInt32(bigEndian: ipv4))
    }
    var words = (UInt64(0), UInt64(0))
    guard inet_pton(AF_INET6, text, &words) == 1 else { return nil }
    return bh_address_t(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
}

/// Writes an address and a NUL: IPv4 dotted, IPv6 as RFC 5952 says. Wraps inet_ntop.
///
/// Returns the bytes before the NUL; 0 if there is no room. BH_ADDRESS_SIZE bytes are enough for every address.
public func formatAddress(_ address: bh_address_t, into text: UnsafeMutableBufferPointer<CChar>) -> Int {
    guard let start = text.baseAddress, let size = socklen_t(exactly: text.count) else { return 0 }
    let written: UnsafePointer<CChar>?
    if let ipv4 = address.ipv4 {
        var bytes = ipv4.bigEndian
        written = inet_ntop(AF_INET, &bytes, start, size)
    } else {
        var words = (address.high.bigEndian, address.low.bigEndian)
        written = inet_ntop(AF_INET6, &words, start, size)
    }
    return written == nil ? 0 : strlen(start)
}

extension bh_address {
    /// As people write it: "10.0.0.4" or "2001:db8::4".
    public var text: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(BH_ADDRESS_SIZE)) { buffer in
            let length = formatAddress(self, into: buffer)
            let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[0..<length])
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
