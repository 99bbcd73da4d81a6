// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

@Suite struct CommonFailureTests {
    private var failure = CommonFailure()

    /// Looks once a second; when a line was due, in seconds.
    private mutating func told(_ seconds: Range<UInt64>, _ checked: UInt64 = 3, failing: UInt64 = 3) -> [UInt64] {
        seconds.filter { failure.look(checked: checked, failing: failing, now: $0 * 1000) }
    }

    @Test mutating func isToldOnceAfterThreeSeconds() {
        #expect(told(5..<500) == [8])
    }

    @Test mutating func isNotToldWhereOnePassesOrOneAloneFails() {
        #expect(told(5..<100, failing: 2) == [])
        #expect(told(100..<200, 1, failing: 1) == [])
        #expect(told(200..<300, 0, failing: 0) == [])
    }

    @Test mutating func aMomentIsNoNews() {
        #expect(told(5..<8) == [])
        #expect(told(8..<9, failing: 2) == [])
        #expect(told(9..<12) == [])
    }

    /// The line is late, and not lost.
    @Test mutating func theNextTimeWaitsUntilTheMinuteIsOver() {
        #expect(told(5..<20) == [8])
        #expect(told(20..<30, failing: 2) == [])
        #expect(told(30..<300) == [68])
        #expect(told(300..<301, failing: 0) == [])
        #expect(told(301..<400) == [304])
    }
}
