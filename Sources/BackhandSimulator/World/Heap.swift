// Licensed under the Apache License, Version 2.0; see LICENSE.

/// A binary heap: the least element is at the top. Equal ones come in no certain order.
struct Heap<Element: Comparable> {
    private(set) var items: [Element] = []

    var isEmpty: Bool { items.isEmpty }
    var count: Int { items.count }
    var top: Element? { items.first }

    mutating func push(_ item: Element) {
        items.append(item)
        var place = items.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard item < items[parent] else { break }
            items[place] = items[parent]
            place = parent
        }
        items[place] = item
    }

    mutating func pop() -> Element? {
        guard let least = items.first, let last = items.popLast() else { return nil }
        guard !items.isEmpty else { return least }
        var place = 0
        while true {
            var child = 2 * place + 1
            guard child < items.count else { break }
            if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
            guard items[child] < last else { break }
            items[place] = items[child]
            place = child
        }
        items[place] = last
        return least
    }
}
