// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// The number of a group of this system; nil: there is none with this name (`getgrnam`).
public func groupID(named name: UnsafePointer<CChar>) -> UInt32? {
    getgrnam(name)?.pointee.gr_gid
}
