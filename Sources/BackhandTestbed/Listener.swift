// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// A stream socket that listens at the path, as httpd's parent makes the control socket (`socket`, `bind`, `listen`);
/// -1 if that fails.
public func listen(at path: String) -> Int32 {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: name.sun_path) else { return -1 }
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
    let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let bound = withUnsafeBytes(of: &name) {
        bind(fd, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
    }
    guard bound == 0, CSystem.listen(fd, 16) == 0 else {
        close(fd)
        return -1
    }
    return fd
}
