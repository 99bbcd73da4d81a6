// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// What candidates are sorted by, smallest first: a number below 2^48, so that it fits into a word with a position.
struct SortKey {
    let number: UInt64

    /// Keeps the order of integers between -2^47 and 2^47.
    init(_ integer: Int64) {
        number = UInt64(bitPattern: integer &+ 1 << 47) & (1 << 48 &- 1)
    }

    /// Keeps the order of finite numbers that are not negative. The last 15 bits of the fraction are dropped: numbers
    /// that agree in eleven digits are equal, and so is what differs only by rounding.
    init(_ number: Double) {
        self.number = number.bitPattern >> 15 & (1 << 48 &- 1)
    }

    /// The key of a word.
    init(of word: UInt64) { number = word >> 16 }

    /// The number that it keeps the order of, if that was one with a fraction.
    var double: Double { Double(bitPattern: number << 15) }

    /// Together with a place below 2^16, in one word.
    func word(_ place: Int) -> UInt64 { number << 16 | UInt64(truncatingIfNeeded: place) }
}

extension Candidates {
    /// Sorts by keys, smallest first; equal ones keep their order. Mode and host header move with their server.
    ///
    /// Sorts words of key and position in place, then moves each entry once. The position makes every word differ, so
    /// any sorting algorithm is stable.
    mutating func sort(by key: (ServerSlot, UnsafePointer<bh_segment_t>) -> SortKey) {
        guard count > 1 else { return }
        let (list, spare, keys, segment) = (list, spare, keys, segment)
        for place in 0..<count { keys[place] = key(list[place], segment).word(place) }
        sortWords(keys, count)
        for place in 0..<count { spare[place] = list[keys[place].place] }
        swap(&self.list, &self.spare)
    }

    /// Puts this many, those with the smallest keys, in front, in their order; equal ones keep theirs. The others come
    /// in no certain order.
    ///
    /// Most are only compared with the last of those in front: n + first * ln(n / first) steps on average.
    func sort(first: Int, by key: (ServerSlot, UnsafePointer<bh_segment_t>) -> SortKey) {
        guard count > 1, first > 0 else { return }
        let (list, segment) = (list, segment)
        var front = Front(keys, first: first)
        for place in 0..<count { front.offer(key(list[place], segment), place) }
        front.lead(list)
    }
}

/// The smallest keys of many, with the places of their candidates, while one after the other is offered.
struct Front {
    private let words: UnsafeMutablePointer<UInt64>
    private let first: Int
    private var filled = 0
    private var worst = UInt64.max
    /// What is at least this is not among them.
    private(set) var longest = Double.infinity

    /// - Parameter first: how many, at least 1. This many words are used, or fewer if fewer are offered.
    init(_ words: UnsafeMutablePointer<UInt64>, first: Int) {
        self.words = words
        self.first = first
    }

    mutating func offer(_ key: SortKey, _ place: Int) {
        let word = key.word(place)
        guard word < worst else { return }
        if filled < first { filled &+= 1 }
        insert(word, into: words, filled)
        guard filled == first else { return }
        worst = words[first &- 1]
        longest = SortKey(of: worst).double
    }

    /// Puts their candidates in front of the list, in their order.
    func lead(_ list: UnsafeMutablePointer<ServerSlot>) { exchange(list, words, filled) }
}

extension UInt64 {
    /// Of a word of key and place.
    var place: Int { Int(truncatingIfNeeded: self & 0xffff) }
}

/// Puts a word to its place among sorted ones; the last of these is given up.
private func insert(_ word: UInt64, into words: UnsafeMutablePointer<UInt64>, _ count: Int) {
    var place = count &- 1
    while place > 0, words[place &- 1] > word {
        words[place] = words[place &- 1]
        place &-= 1
    }
    words[place] = word
}

/// Exchanges the first entries with those whose places the words name. What was in a place that has its entry already
/// is where the word there, no longer needed, says then.
private func exchange(_ list: UnsafeMutablePointer<ServerSlot>, _ words: UnsafeMutablePointer<UInt64>, _ count: Int) {
    for target in 0..<count {
        var place = words[target].place
        while place < target { place = words[place].place }
        words[target] = UInt64(truncatingIfNeeded: place)
        guard place != target else { continue }
        let slot = list[target]
        list[target] = list[place]
        list[place] = slot
    }
}

/// Shell's sort: in place, without recursion; up to four words it is insertion sort.
func sortWords(_ words: UnsafeMutablePointer<UInt64>, _ count: Int) {
    var gap = gap(below: count)
    while gap > 0 {
        var start = gap
        while start < count {
            let word = words[start]
            var place = start
            while place >= gap, words[place &- gap] > word {
                words[place] = words[place &- gap]
                place &-= gap
            }
            words[place] = word
            start &+= 1
        }
        gap = BackhandCandidacy.gap(below: gap)
    }
}

/// The largest gap below a number, 0 if there is none. Gaps of Ciura, FCT 2001: the fewest comparisons known for up to
/// some thousand words.
private func gap(below number: Int) -> Int {
    if number > 701 { return number > 1750 ? 1750 : 701 }
    if number > 57 { return number > 301 ? 301 : number > 132 ? 132 : 57 }
    if number > 10 { return number > 23 ? 23 : 10 }
    return number > 4 ? 4 : number > 1 ? 1 : 0
}
