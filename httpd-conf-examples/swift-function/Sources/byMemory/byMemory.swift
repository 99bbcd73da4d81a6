// Licensed under the Apache License, Version 2.0; see LICENSE.

import CModBackhand

/// Keeps the servers that have at least as many megabytes of memory available as the argument says. Without an argument
/// it is 0.
///
///     BackhandFromSO modules/byMemory.so byMemory 512
///
/// It runs inside httpd, in several threads at once, so keep no state, and do not trap. Numbers in rows come from other
/// machines, so use &+ and &- on them, and check before you convert.
@_cdecl("byMemory")
public func byMemory(
    _ request: OpaquePointer?, _ servers: UnsafeMutablePointer<ServerSlot>, _ count: UnsafeMutablePointer<CInt>,
    _ argument: UnsafeMutablePointer<CChar>?
) -> CInt {
    let wanted = argument.map { strtol($0, nil, 10) } ?? 0
    var kept = 0
    for place in 0..<Int(count.pointee) where Int(row_of(servers[place]).pointee.amem) >= wanted {
        servers[kept] = servers[place]
        kept += 1
    }
    count.pointee = CInt(kept)
    return count.pointee
}
