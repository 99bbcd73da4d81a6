// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// How many connections to a server may wait in the pool of all children.
///
/// Half of what the requests use, and eight: a crowd that comes at once finds as many, and a server that gets one request now and then has no more
/// than eight for it, however many children this httpd has. Never more than may be kept at all.
///
/// - Parameters:
///   - may: what `keepable` says.
///   - inFlight: requests that the server had at once in the last window, the mean in thousandths.
func shareable(_ may: UInt32, inFlight: UInt32) -> UInt32 {
    min(may, 8 + inFlight / 2000)
}
