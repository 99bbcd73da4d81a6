// Licensed under the Apache License, Version 2.0; see LICENSE.

// All code that works with the table works with the contract's types.
@_exported public import CBackhand
public import BackhandText
internal import CSystem

/// Addresses are compared far more often than printed: two words do it.
extension bh_address: @retroactive Equatable {
    public static func == (left: bh_address, right: bh_address) -> Bool {
        bh_address_equals(left, right)
    }
}

extension bh_address {
    /// The address ::ffff:a.b.c.d for the IPv4 address, which is in host byte order.
    public init(ipv4: UInt32) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(ipv4))
    }

    /// The IPv4 address in host byte order; nil if this is IPv6.
    public var ipv4: UInt32? {
        bh_address_is_ipv4(self) ? UInt32(truncatingIfNeeded: low) : nil
    }

    /// Whether datagrams to it reach a group: 224.0.0.0/4 or ff00::/8.
    public var isMulticast: Bool {
        guard let ipv4 else { return high >> 56 == 0xff }
        return ipv4 >> 28 == 0xe
    }

    /// Whether it means the machine itself on every machine: 127.0.0.0/8 or ::1.
    public var isLoopback: Bool { bh_address_is_loopback(self) }

    /// Whether it is valid on one link only, where clouds keep their secrets: 169.254.0.0/16 or fe80::/10.
    public var isLinkLocal: Bool {
        guard let ipv4 else { return high >> 54 == 0x3fa }
        return ipv4 >> 16 == 0xa9fe
    }

    /// Whether one server can have it: not unspecified, not 0.0.0.0/8, neither multicast nor broadcast, nothing that is
    /// reserved.
    public var isUnicast: Bool {
        guard let ipv4 else { return !isMulticast && !bh_address_is_zero(self) }
        return ipv4 >> 24 != 0 && ipv4 >> 28 < 0xe
    }
}

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

extension Word {
    /// The address that it is; nil if it is something else.
    public var address: bh_address_t? {
        // inet_pton stops at a NUL.
        guard bytes.count < Int(BH_ADDRESS_SIZE), !contains(0) else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { copy in
            for index in 0..<bytes.count { copy[index] = CChar(bitPattern: bytes[index]) }
            copy[bytes.count] = 0
            return copy.baseAddress.flatMap { parseAddress($0) }
        }
    }
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

#if !hasFeature(Embedded)
extension bh_address {
    /// As people write it: "10.0.0.4" or "2001:db8::4".
    public var text: String {
        var text = Message()
        text.add(self)
        return text.text
    }
}
#endif

extension Message {
    /// As people write it: "10.0.0.4" or "2001:db8::4".
    @inline(never)
    public mutating func add(_ address: bh_address_t) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(BH_ADDRESS_SIZE)) { buffer in
            let length = formatAddress(address, into: buffer)
            for byte in buffer[..<length] { add(byte: UInt8(bitPattern: byte)) }
        }
    }

    /// As in a URL: "10.0.0.4:80" or "[2001:db8::4]:80".
    @inline(never)
    public mutating func add(_ address: bh_address_t, port: UInt16) {
        let isBracketed = address.ipv4 == nil
        if isBracketed { add("[") }
        add(address)
        add(isBracketed ? "]:" : ":")
        add(UInt64(port))
    }
}
