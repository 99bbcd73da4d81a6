// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandSystem

/// How often each address was taken from an interface.
struct AddressRemovals: Equatable {
    /// Of those that were taken last: more addresses than a machine changes between two looks.
    private static var most: Int { 64 }

    private var counts: [(address: UInt32, count: UInt32)] = []
    /// Of all others.
    private var base: UInt32 = 0

    static func == (one: AddressRemovals, other: AddressRemovals) -> Bool {
        one.base == other.base && one.counts.count == other.counts.count
            && zip(one.counts, other.counts).allSatisfy { $0.address == $1.address && $0.count == $1.count }
    }

    mutating func note(_ change: NetworkNews.Change) {
        for address in change.gone {
            let before = count(of: address)
            counts.removeAll { $0.address == address }
            if counts.count == Self.most { forget() }
            counts.append((address, before &+ 1))
        }
        if change.incomplete { forget() }
    }

    func count(of address: UInt32) -> UInt32 { counts.first { $0.address == address }?.count ?? base }

    /// Which address was taken is not known any more: every one may have been.
    private mutating func forget() {
        base = counts.reduce(base) { max($0, $1.count) } &+ 1
        counts.removeAll()
    }
}
