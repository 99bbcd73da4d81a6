// Licensed under the Apache License, Version 2.0; see LICENSE.

public import CBackhand

/// Addresses that this httpd announces for one virtual host, at most: that of its row and the others.
public var mostSources: Int { 1 + Int(BH_OTHER_ADDRESSES) }

/// From which of the addresses that this httpd announces connections to a server may come instead of from the one that
/// the kernel would choose: those that are most like the server's first, because the server has heard them in the same
/// network.
///
/// Never from a loopback address to another machine, or the reverse.
///
/// - Parameters:
///   - row: the row of this httpd as the site that the request is for.
///   - used: the kernel's choice.
///   - found: room for ``mostSources`` addresses.
/// - Returns: how many were found; 0: the kernel's choice is right, or nothing is better.
public func findSources(
    _ segment: UnsafePointer<bh_segment_t>, row: UInt32, server: bh_address_t, used: bh_address_t,
    into found: UnsafeMutablePointer<bh_address_t>
) -> UInt32 {
    var first = bh_address_t()
    guard bh_row_heard(bh_segment_row(segment, row)) != 0, bh_row_address(bh_segment_row(segment, row), &first) else {
        return 0
    }
    var count = 0
    for number in 0..<UInt32(mostSources) {
        let own = number == 0 ? first : bh_row_other(segment, row, number - 1)
        if bh_address_equals(own, used) { return 0 }
        guard !bh_address_is_zero(own), bh_address_is_ipv4(own) == bh_address_is_ipv4(server),
            bh_address_is_loopback(own) == bh_address_is_loopback(server)
        else { continue }
        var place = count
        while place > 0, sharedBits(found[place - 1], server) < sharedBits(own, server) {
            found[place] = found[place - 1]
            place -= 1
        }
        found[place] = own
        count += 1
    }
    return UInt32(count)
}

/// Leading bits that two addresses share.
private func sharedBits(_ left: bh_address_t, _ right: bh_address_t) -> Int {
    let (high, low) = (left.high ^ right.high, left.low ^ right.low)
    return high != 0 ? high.leadingZeroBitCount : 64 + low.leadingZeroBitCount
}
