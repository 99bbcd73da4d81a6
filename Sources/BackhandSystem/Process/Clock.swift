// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Milliseconds of CLOCK_MONOTONIC.
public func monotonicMilliseconds() -> UInt64 {
    csystem_monotonic_ns() / 1_000_000
}

/// Nanoseconds of CLOCK_MONOTONIC.
public func monotonicNanoseconds() -> UInt64 {
    csystem_monotonic_ns()
}

/// Seconds of the wall clock (CLOCK_REALTIME).
public func wallSeconds() -> Int64 {
    csystem_wall_seconds()
}

/// Sleeps without attending to anything else; for start-up and tools.
public func pause(milliseconds: UInt32) {
    _ = poll(nil, 0, Int32(clamping: milliseconds))
}
