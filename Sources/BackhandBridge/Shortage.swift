// Licensed under the Apache License, Version 2.0; see LICENSE.

// What a child asks the system about connections to servers.

internal import BackhandModerator
internal import BackhandSystem
internal import BackhandText
public import CBackhand

@c @implementation
public func bh_shortage_name(_ why: Int32) -> UnsafePointer<CChar>? {
    Shortage.name(why)?.characters
}

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
