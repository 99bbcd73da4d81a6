// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
internal import BackhandSystem

/// The address from which connections to the server must come instead of from the one that the kernel would choose.
/// nil: the kernel's choice is right, or nothing is better.
///
/// An address behind a NAT is not of this machine: packets cannot leave from it.
///
/// - Parameter row: the row of this httpd as the site that the request is for.
public func chooseSource(
    _ segment: UnsafePointer<bh_segment_t>, row: UInt32, _ server: bh_address_t, port: UInt16
) -> bh_address_t? {
    guard let used = leaves(for: server, port) else { return nil }
    return withUnsafeTemporaryAllocation(of: bh_address_t.self, capacity: mostSources) { found in
        guard let start = found.baseAddress else { return nil }
        let count = findSources(segment, row: row, server: server, used: used, into: start)
        return found[..<Int(count)].first { leaves(for: server, port, from: $0) == $0 }
    }
}

private func leaves(for server: bh_address_t, _ port: UInt16, from own: bh_address_t = bh_address_t()) -> bh_address_t?
{
    let used = sourceAddress(to: (server.high, server.low), port: port, from: (own.high, own.low))
    return used.map { bh_address_t(high: $0.high, low: $0.low) }
}
