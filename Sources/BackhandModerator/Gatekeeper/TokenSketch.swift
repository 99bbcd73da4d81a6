// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats

/// A burst and then a steady rate for each key, in memory of a fixed size: no flood of forged keys can fill anything.
///
/// Two keys may share a cell, so each key has two, and one with something left is enough. A few keys that use up theirs
/// hardly ever take another's: one in a thousand where there are a hundred such keys. Which cells a key has depends on
/// a secret.
struct TokenSketch {
    /// Cells of each of the two rows, 8 bytes each. A power of two. Some thousand keys at once would share most of
    /// them.
    private static var width: Int { 4096 }

    /// For each cell the time until which what was taken is paid for; milliseconds of CLOCK_MONOTONIC.
    private var cells: [UInt64]
    private let interval: UInt64
    /// How far ahead of the present a cell may be.
    private let credit: UInt64
    private let secret: UInt64

    /// - Parameter interval: milliseconds for one more.
    init(burst: UInt64, interval: UInt64, secret: UInt64) {
        cells = [UInt64](repeating: 0, count: 2 * Self.width)
        self.interval = interval
        credit = (max(burst, 1) - 1) &* interval
        self.secret = secret
    }

    /// Takes one of the key's; false if there is none.
    mutating func take(_ key: UInt64, now: UInt64) -> Bool {
        let (first, second) = places(key)
        let one = take(at: first, now)
        let other = take(at: second, now)
        return one || other
    }

    /// Whether the key has one.
    func has(_ key: UInt64, now: UInt64) -> Bool {
        let (first, second) = places(key)
        return debt(first, now) <= credit || debt(second, now) <= credit
    }

    private mutating func take(at place: Int, _ now: UInt64) -> Bool {
        let owed = debt(place, now)
        guard owed <= credit else { return false }
        cells[place] = now &+ owed &+ interval
        return true
    }

    private func debt(_ place: Int, _ now: UInt64) -> UInt64 {
        cells[place] > now ? cells[place] - now : 0
    }

    private func places(_ key: UInt64) -> (Int, Int) {
        let mixed = mix(key ^ secret)
        let mask = UInt64(Self.width - 1)
        return (Int(mixed & mask), Self.width + Int((mixed >> 32) & mask))
    }
}

/// A number that looks random; different numbers have different ones.
func mix(_ number: UInt64) -> UInt64 {
    var numbers = SplitMix64(state: number)
    return numbers.next()
}
