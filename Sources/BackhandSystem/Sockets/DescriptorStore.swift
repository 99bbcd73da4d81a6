// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// A place in the kernel where descriptors outlive the processes that use them: a pair of sockets, and descriptors on
/// their way from one end to the other. They stay open as long as some process has the pair. The opener closes it.
public struct DescriptorStore: Sendable {
    /// Most words that may be kept with a descriptor.
    public static var most: Int { Int(CSYSTEM_STORE_WORDS) }

    /// The end into which descriptors are put.
    public let inlet: Int32
    /// The end from which descriptors are taken.
    public let outlet: Int32

    /// Opens an empty store (`socketpair`).
    public init() throws(SystemError) {
        var (first, second) = (Int32(-1), Int32(-1))
        try checked { csystem_store_open(&first, &second) }
        (inlet, outlet) = (first, second)
    }

    /// Closes it in this process.
    public func close() {
        _ = CSystem.close(inlet)
        _ = CSystem.close(outlet)
    }

    /// Puts a copy of the descriptor in, after the others, with at least one word.
    public func put(_ fd: Int32, _ words: [UInt32]) throws(SystemError) {
        try words.withUnsafeBufferPointer { list throws(SystemError) in
            guard let start = list.baseAddress, !list.isEmpty else { throw SystemError.wrongKind }
            try checked { csystem_store_put(inlet, fd, start, Int32(clamping: list.count)) }
        }
    }

    /// Takes the descriptor that has waited longest, or -1 in its place; nil if the store is empty. Its taker closes
    /// it.
    public func take() -> (fd: Int32, words: [UInt32])? {
        var fd: Int32 = -1
        var words = [UInt32](repeating: 0, count: Self.most)
        let count = words.withUnsafeMutableBufferPointer { room in
            room.baseAddress.map { csystem_store_take(outlet, &fd, $0) } ?? -1
        }
        guard count >= 0 else { return nil }
        return (fd, Array(words.prefix(Int(count))))
    }
}

/// Closes a descriptor that nothing wraps (`close`).
public func closeDescriptor(_ fd: Int32) {
    if fd >= 0 { _ = CSystem.close(fd) }
}
