// Licensed under the Apache License, Version 2.0; see LICENSE.

// The process that httpd forks, as it begins.

internal import BackhandModerator
internal import BackhandSystem
internal import CBackhand

@c @implementation
public func bh_helper_begin(_ name: UnsafePointer<CChar>?) {
    guard let name else { return }
    beginHelper(name)
}

@c @implementation
public func bh_helper_tie(_ parent: Int32) -> Bool { tieHelper(toParent: parent) }

@c @implementation
public func bh_helper_hold_signals(_ holds: Bool) { holdSignals(holds) }

@c @implementation
public func bh_announced_name(_ given: UnsafePointer<CChar>?, _ room: UnsafeMutablePointer<CChar>?, _ size: Int) {
    write(announcedName(given), to: room, size)
}
