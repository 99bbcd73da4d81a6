// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Milliseconds for which a port is tried, and from one try of a child to the next, however many of its requests wait.
private let (tryMilliseconds, betweenTries) = (Int32(200), UInt64(500))

/// Whether a server's port refuses connections, by a try of this request or of another one.
///
/// - Parameters:
///   - probed: when it was tried last, milliseconds times two; odd: it was refused. Atomic.
///   - attempt: what the kernel says to a connection within these milliseconds: true: it is refused.
public func isRefused(
    _ probed: UnsafeMutablePointer<UInt64>, now: UInt64, _ attempt: (Int32) -> Bool
) -> Bool {
    let last = bh_word_load(probed)
    guard now >= last >> 1 &+ betweenTries, bh_word_swap(probed, last, now << 1) else { return last & 1 != 0 }
    let isRefused = attempt(tryMilliseconds)
    if isRefused { bh_word_store(probed, now << 1 | 1) }
    return isRefused
}
