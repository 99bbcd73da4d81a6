// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// Addresses are compared and hashed far more often than printed: two words do it.
extension bh_address: @retroactive Equatable, @retroactive Hashable {
    public static func == (left: bh_address, right: bh_address) -> Bool {
        left.low == right.low && left.high == right.high
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
    }
}

extension bh_address {
    /// The address ::ffff:a.b.c.d for the IPv4 address, which is in host byte order.
    public init(ipv4: UInt32) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(ipv4))
    }

    /// The IPv4 address in host byte order; nil if this is IPv6.
    public var ipv4: UInt32? {
        high == 0 && low >> 32 == 0xffff ? UInt32(truncatingIfNeeded: low) : nil
    }
}
