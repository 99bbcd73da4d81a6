// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Does something in a process that has the rights of a user and no others; here, if this one is not root (`fork`,
/// `setresuid`).
///
/// - Parameters:
///   - user: 0: as this process.
///   - group: the user's own one.
///   - name: whose other groups the process gets; nil: none.
///   - working: the group to work with, if it is another one.
///   - act: returns 0 or an errno of one byte.
/// - Returns: what it returned, or why it could not be done.
public func withRights(
    user: UInt32, group: UInt32, name: UnsafePointer<CChar>?, working: UInt32? = nil, _ act: () -> Int32
) -> Int32 {
    guard geteuid() == 0, user != 0 else { return act() }
    let child = csystem_fork()
    if child == 0 {
        let why = csystem_become(user, working ?? group, name, group)
        csystem_exit(why != 0 ? why : act())
    }
    do throws(SystemError) {
        guard child > 0 else { throw SystemError.last }
        return try checked { csystem_reap(child) }
    } catch {
        return error.code
    }
}
