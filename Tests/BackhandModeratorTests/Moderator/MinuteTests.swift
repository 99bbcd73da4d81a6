// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

@Test func oneLineAMinute() {
    var minute = Minute()
    func due(_ now: UInt64) -> Bool { minute.isDue(now: now) }
    #expect([5, 6, 60_004, 60_005, 60_006, 120_005].map(due) == [true, false, false, true, false, true])
}
