// Licensed under the Apache License, Version 2.0; see LICENSE.

// What a child asks the system about connections to servers.

internal import BackhandModerator
internal import BackhandServerStats
internal import BackhandSystem
internal import BackhandText
public import CBackhand

@c @implementation
public func bh_shortage_is_over() -> Bool {
    Shortage.isOver()
}

@c @implementation
public func bh_shortage_is_near() -> Bool {
    Shortage.isNear
}

@c @implementation
public func bh_connection_try(_ server: UnsafePointer<bh_facts_t>?, _ wait: Int32) -> Int32 {
    guard let address = server?.pointee.address, let port = server?.pointee.port else {
        return SystemError.wrongKind.code
    }
    return tryConnection(high: address.high, low: address.low, port: port, milliseconds: wait)
}

@c @implementation
public func bh_connection_explain(
    _ shown: UnsafeMutablePointer<bh_result_t>?, _ server: UnsafePointer<bh_facts_t>?, _ isLookedUp: Bool,
    _ why: UnsafeMutablePointer<Int32>?
) -> UnsafePointer<CChar>? {
    guard let shown, let server else { return nil }
    let failed = FailedConnection(shown.pointee) { bh_connection_try(server, $0) }
    let lacking = Shortage.name(failed.code)
    failed.note(in: &shown.pointee, isLookedUp: isLookedUp, isShortage: lacking != nil)
    why?.pointee = failed.why
    return lacking?.characters
}

@c @implementation
public func bh_connection_refuses(
    _ probed: UnsafeMutablePointer<UInt64>?, _ server: UnsafePointer<bh_facts_t>?, _ now: UInt64
) -> Bool {
    guard let probed, let server else { return false }
    return isRefused(probed, now: now) { bh_connection_try(server, $0) == SystemError.refused.code }
}

@c @implementation
public func bh_source_choose(
    _ segment: UnsafePointer<bh_segment_t>?, _ row: UInt32, _ server: UnsafePointer<bh_facts_t>?,
    _ chosen: UnsafeMutablePointer<bh_address_t>?
) -> Bool {
    guard let segment, let server, let chosen, row < UInt32(BH_ROWS),
        let source = chooseSource(segment, row: row, server.pointee.address, port: server.pointee.port)
    else { return false }
    chosen.pointee = source
    return true
}
