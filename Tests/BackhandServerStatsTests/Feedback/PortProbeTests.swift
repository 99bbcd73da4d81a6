// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@Suite struct PortProbeTests {
    @Test func oneTryAnswersAllThatAskWithinHalfASecond() {
        var probed: UInt64 = 0
        var tries = 0
        let answers = [UInt64(1000), 1001, 1499, 1500, 1999].map { now in
            isRefused(&probed, now: now) { milliseconds in
                #expect(milliseconds == 200)
                tries += 1
                return tries == 1
            }
        }
        #expect(answers == [true, true, true, false, false] && tries == 2)
    }

    @Test func whatAsksWhileAnotherOneTriesGetsTheAnswerBefore() {
        var probed: UInt64 = 0
        let refused = withUnsafeMutablePointer(to: &probed) { probed in
            isRefused(probed, now: 1000) { _ in
                #expect(!isRefused(probed, now: 1010) { _ in true })
                return true
            }
        }
        #expect(refused)
    }
}
