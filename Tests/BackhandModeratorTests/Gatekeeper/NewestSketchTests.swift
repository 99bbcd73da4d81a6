// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

@Suite struct NewestSketchTests {
    /// What is not signed is not noted, and what was noted is forgotten in the end: once more it is new, and no more
    /// than that.
    @Test func numbers() {
        var newest = NewestSketch()
        #expect(newest.isNew(1, of: 77) && newest.isNew(1, of: 77) && !newest.isNew(0, of: 77))
        let noted = [(5, 0), (5, 1), (6, 2), (4, 3), (0, 4), (6, 600_002), (6, 600_003)].map {
            newest.note(UInt64($0.0), of: 77, now: 700_000 + UInt64($0.1))
        }
        #expect(noted == [true, false, true, false, false, true, false])
        #expect(newest.isNew(1, of: 78))
    }
}
