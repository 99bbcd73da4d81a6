// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandSimulator

struct HeapTests {
    @Test(arguments: [0, 1, 2, 7, 1000])
    func `comes out in order`(count: Int) {
        var random = Random(seed: 1, stream: .choices)
        var heap = Heap<Int>()
        let numbers = (0..<count).map { _ in random.below(count) }
        for number in numbers { heap.push(number) }
        var popped: [Int] = []
        while let number = heap.pop() { popped.append(number) }
        #expect(popped == numbers.sorted())
        #expect(heap.isEmpty)
    }
}
