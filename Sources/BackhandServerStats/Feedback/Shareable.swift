// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// How many connections to a server the pool of all children may have.
///
/// One and a half for each request, and eight: a crowd that comes at once finds as many, and a server that gets one request now and then has no more
/// than eight for it, however many children this httpd has. Requests come and go: so many may be kept, in use or waiting, where few requests are there at a
/// moment; where many are, half as many as usual and eight may wait. Never more than may be kept at all.
///
/// - Parameters:
///   - may: what `keepable` says.
///   - inFlight: requests that the server had at once in the last window, the mean in thousandths.
func shareable(_ may: UInt32, inFlight: UInt32) -> (waiting: UInt32, kept: UInt32) {
    (min(may, 8 + inFlight / 2000), min(may, 8 + UInt32(UInt64(inFlight) * 3 / 2000)))
}
