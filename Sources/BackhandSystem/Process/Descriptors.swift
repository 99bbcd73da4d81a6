// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CSystem

/// Closes each descriptor of this process that is not needed (`/proc/self/fd`, `close`).
public func closeDescriptors(unless isNeeded: (Int32) -> Bool) {
    let folder: StaticString = "/proc/self/fd"
    // No descriptor left for that, or no /proc: all that there may be.
    guard let directory = opendir(folder.characters) else {
        for fd in 0..<Int32(clamping: csystem_descriptor_limit()) where !isNeeded(fd) { close(fd) }
        return
    }
    let own = dirfd(directory)
    while let entry = readdir(directory) {
        let number = withUnsafeBytes(of: &entry.pointee.d_name) { name in
            Word(name.baseAddress!.assumingMemoryBound(to: CChar.self)).number(in: 0...UInt64(Int32.max))
        }
        if let fd = number.map({ Int32($0) }), fd != own, !isNeeded(fd) { close(fd) }
    }
    closedir(directory)
}
