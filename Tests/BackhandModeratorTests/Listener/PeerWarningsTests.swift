// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

/// No clock that a stranger can announce is a trap.
@Test(
    arguments: [
        (1000, 0, 0), (1000, 1000, 0), (1000, 970, 30), (970, 1000, -30), (1000, .min, .max), (-1000, .max, .min),
        (0, .max, .min), (1_700_000_000, -1, 1_700_000_001),
        (.max, 1, .max), (1, 5_000_000_000, .min),
    ] as [(Int64, Int64, Int32)])
func howFarClocksAreApart(wall: Int64, other: Int64, ahead expected: Int32) {
    #expect(ahead(wall, of: other) == expected)
}
