// Licensed under the Apache License, Version 2.0; see LICENSE.

// The moderator of backhand.h. The only place where a Swift object leaves the core, as an opaque pointer.

public import CBackhand
internal import BackhandModerator
internal import BackhandSystem
internal import BackhandText

@c @implementation
public func bh_moderator_address(
    _ lines: UnsafePointer<bh_destination_t>?, _ count: Int, _ address: UnsafeMutablePointer<bh_address_t>?
) -> bh_status_t {
    guard let lines, let address else { return BH_EINVAL }
    for line in 0..<max(count, 0) {
        guard let found = announcedAddress(lines[line]) else { continue }
        address.pointee = found
        return BH_OK
    }
    return BH_ESYSTEM
}

@c @implementation
public func bh_moderator_has_address(_ address: UnsafePointer<bh_address_t>?) -> Bool {
    guard let address else { return false }
    return isLocal(address.pointee)
}

@c @implementation
public func bh_sockets_open(
    _ sockets: UnsafeMutablePointer<OpaquePointer?>?, _ errorText: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let sockets else { return BH_EINVAL }
    do throws(ModeratorError) {
        let held = try HeldSockets()
        sockets.pointee = OpaquePointer(Unmanaged.passRetained(held).toOpaque())
        return BH_OK
    } catch {
        write(error.message, to: errorText, errorSize)
        return error.status
    }
}

@c @implementation
public func bh_descriptors_close(_ config: UnsafePointer<bh_moderator_config_t>?, _ log: Int32) {
    guard let config else { return }
    closeDescriptors(config.pointee, held(config.pointee), log: log)
}

@c @implementation
public func bh_port_is_closed(_ address: UnsafePointer<bh_address_t>?, _ port: UInt16, _ overIPv6: Bool) -> Bool {
    guard let address else { return false }
    return isPortClosed(high: address.pointee.high, low: address.pointee.low, port: port, overIPv6: overIPv6)
}

private func held(_ config: bh_moderator_config_t) -> HeldSockets? {
    config.sockets.map { Unmanaged<HeldSockets>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
}

@c @implementation
public func bh_sockets_close(_ sockets: OpaquePointer?) {
    guard let sockets else { return }
    Unmanaged<HeldSockets>.fromOpaque(UnsafeRawPointer(sockets)).takeRetainedValue().close()
}

@c @implementation
public func bh_moderator_new(
    _ config: UnsafePointer<bh_moderator_config_t>?, _ moderator: UnsafeMutablePointer<OpaquePointer?>?,
    _ errorText: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let config, let moderator, config.pointee.segment != nil,
        config.pointee.destinations != nil || config.pointee.destination_count == 0,
        config.pointee.accepted != nil || config.pointee.accepted_count == 0,
        config.pointee.keys == nil || (config.pointee.sign != nil && config.pointee.verify != nil)
    else { return BH_EINVAL }
    do throws(ModeratorError) {
        let opened = try Moderator.open(config.pointee, held(config.pointee))
        moderator.pointee = OpaquePointer(Unmanaged.passRetained(opened).toOpaque())
        return BH_OK
    } catch {
        write(error.message, to: errorText, errorSize)
        return error.status
    }
}

@c @implementation
public func bh_moderator_run(_ moderator: OpaquePointer?) -> bh_status_t {
    guard let moderator else { return BH_EINVAL }
    Unmanaged<Moderator>.fromOpaque(UnsafeRawPointer(moderator)).takeUnretainedValue().run()
    return BH_OK
}

@c @implementation
public func bh_moderator_free(_ moderator: OpaquePointer?) {
    guard let moderator else { return }
    Unmanaged<Moderator>.fromOpaque(UnsafeRawPointer(moderator)).takeRetainedValue().close()
}
