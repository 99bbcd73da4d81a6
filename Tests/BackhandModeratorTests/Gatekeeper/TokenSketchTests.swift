// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandModerator

@Suite struct TokenSketchTests {
    /// So many flooding keys leave all others what is theirs, but for few that share both buckets with them.
    @Test(arguments: [(1, 1000), (10, 1000), (100, 990)])
    func floods(keys: Int, unharmed: Int) {
        var sketch = TokenSketch(burst: 4, interval: 1000, secret: 99)
        for _ in 0..<10 {
            for key in 0..<keys { _ = sketch.take(UInt64(key), now: 1) }
        }
        #expect((1000..<2000).filter { sketch.has(UInt64($0), now: 1) }.count >= unharmed)
    }
}
