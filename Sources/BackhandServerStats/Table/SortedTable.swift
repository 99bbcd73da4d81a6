// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What a number is kept under: an address, an address and a port, or a boot id.
public struct TableKey: Equatable {
    private let high: UInt64
    private let low: UInt64
    private let port: UInt16

    /// An address, with or without a port.
    public init(_ address: bh_address_t, port: UInt16 = 0) {
        (high, low, self.port) = (address.high, address.low, port)
    }

    /// A boot id.
    public init(bootID: UInt64) {
        (high, low, port) = (0, bootID, 0)
    }

    fileprivate func isBefore(_ other: TableKey) -> Bool {
        if high != other.high { return high < other.high }
        if low != other.low { return low < other.low }
        return port < other.port
    }
}

/// Numbers under keys, in the order of the keys. One type for all tables of the moderator: each type of a Dictionary
/// is 3 kB of code in the module.
///
/// A look takes O(log n) steps, a new or a removed key moves O(n) entries of 32 bytes. Strangers may choose the keys:
/// no choice makes it slower, but the owner must bound n. 4094 entries, the most of any owner, are 128 kB to move.
public struct SortedTable {
    private struct Entry {
        let key: TableKey
        var value: UInt64
    }

    private var entries: [Entry] = []

    /// How many keys have a number.
    public var count: Int { entries.count }

    /// An empty table.
    ///
    /// - Parameter room: for this many entries without growing.
    public init(room: Int = 0) { entries.reserveCapacity(room) }

    /// The number under the key; nil: there is none. Setting nil removes the key.
    public subscript(key: TableKey) -> UInt64? {
        @inline(never) get {
            let place = place(of: key)
            return has(key, at: place) ? entries[place].value : nil
        }
        @inline(never) set {
            let place = place(of: key)
            switch (has(key, at: place), newValue) {
            case (true, let value?): entries[place].value = value
            case (true, nil): entries.remove(at: place)
            case (false, let value?): entries.insert(Entry(key: key, value: value), at: place)
            case (false, nil): break
            }
        }
    }

    /// Removes the keys whose numbers are no higher than the limit; O(n).
    public mutating func remove(upTo limit: UInt64) {
        var kept = 0
        for place in entries.indices where entries[place].value > limit {
            entries[kept] = entries[place]
            kept += 1
        }
        entries.removeLast(entries.count - kept)
    }

    /// Of the first entry whose key is not before this one.
    private func place(of key: TableKey) -> Int {
        var (first, end) = (0, entries.count)
        while first < end {
            let middle = (first + end) / 2
            if entries[middle].key.isBefore(key) { first = middle + 1 } else { end = middle }
        }
        return first
    }

    private func has(_ key: TableKey, at place: Int) -> Bool { place < entries.count && entries[place].key == key }
}
