// Licensed under the Apache License, Version 2.0; see LICENSE.

// What httpd's parent reads and makes.

internal import BackhandModerator
internal import BackhandSystem
internal import BackhandText
public import CBackhand

@c @implementation
public func bh_key_read(
    _ given: UnsafePointer<CChar>?, _ path: UnsafePointer<CChar>?, _ take: bh_key_fn?,
    _ baton: UnsafeMutableRawPointer?, _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_status_t {
    guard let given, let path, let take else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in
        try readKeys(given: Word(given), path: path) { key in
            key.bytes.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { take(baton, $0, text.count) } ?? false
            }
        }
    }
}

@c @implementation
public func bh_control_open(
    _ path: UnsafePointer<CChar>?, _ group: UInt32, _ rights: bh_rights_t, _ fd: UnsafeMutablePointer<Int32>?,
    _ doing: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> Int32 {
    guard let path, let fd else { return SystemError.wrongKind.code }
    do throws(ControlSocketError) {
        fd.pointee = try openControlSocket(Path(cString: path), group: group, rights).fd
        return 0
    } catch {
        doing?.pointee = error.doing.characters
        return error.code
    }
}

@c @implementation
public func bh_group_find(
    _ name: UnsafePointer<CChar>?, _ group: UnsafeMutablePointer<UInt32>?, _ error: UnsafeMutablePointer<CChar>?,
    _ errorSize: Int
) -> bh_status_t {
    guard let name, let group else { return BH_EINVAL }
    return complaining(to: error, errorSize) { () throws(ConfigurationError) in group.pointee = try readGroup(name) }
}

@c @implementation
public func bh_control_remove(_ path: UnsafePointer<CChar>?, _ rights: bh_rights_t) {
    guard let path else { return }
    removeFile(path, rights)
}

@c @implementation
public func bh_file_replace(
    _ path: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?, _ children: bh_rights_t
) -> Int32 {
    guard let path, let text else { return Int32(BH_EINVAL.rawValue) }
    return replaceFile(path, text, children: children)
}

@c @implementation
public func bh_file_remove(_ path: UnsafePointer<CChar>?, _ children: bh_rights_t) {
    guard let path else { return }
    removeFile(path, rightsOfPath(path, children: children))
}

@c @implementation
public func bh_segment_map(
    _ childSlots: UInt32, _ memory: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ size: UnsafeMutablePointer<Int>?
) -> Int32 {
    guard let memory, let size, childSlots > 0 else { return Int32(BH_EINVAL.rawValue) }
    return mapSegment(childSlots: childSlots, memory, size)
}
