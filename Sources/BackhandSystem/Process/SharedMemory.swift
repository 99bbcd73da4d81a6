// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Memory that this process and its children share, zeroed (`mmap`).
public func mapShared(_ size: Int) throws(SystemError) -> UnsafeMutableRawPointer {
    let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != UnsafeMutableRawPointer(bitPattern: -1) else { throw SystemError.last }
    return memory
}

/// Gives it back (`munmap`).
public func unmap(_ memory: UnsafeMutableRawPointer, _ size: Int) { munmap(memory, size) }
