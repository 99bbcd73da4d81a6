// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CSystem

/// Milliseconds of CLOCK_MONOTONIC.
public func monotonicMilliseconds() -> UInt64 {
    csystem_monotonic_ns() / 1_000_000
}
