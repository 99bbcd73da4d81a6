// Licensed under the Apache License, Version 2.0; see LICENSE.

/// The highest number of each subject, in memory of a fixed size: two subjects that share both of their cells have the
/// higher one together.
///
/// Emptied now and then: else the numbers of servers that are gone would fill it in the end. Then each subject's next
/// number is new, once.
struct NewestSketch {
    /// Cells of each of the two rows: as many as the table has servers, twice.
    private static var width: Int { 4096 }
    private static var lifetime: UInt64 { 600_000 }

    private var cells = [UInt64](repeating: 0, count: 2 * width)
    private var emptied: UInt64 = 0

    /// Whether the number is above all that were noted of the subject. 0 never is.
    func isNew(_ number: UInt64, of subject: UInt64) -> Bool {
        let (first, second) = Self.places(subject)
        return number > min(cells[first], cells[second])
    }

    /// Notes a number, and says whether it is new.
    mutating func note(_ number: UInt64, of subject: UInt64, now: UInt64) -> Bool {
        guard number > 0 else { return false }
        if now &- emptied >= Self.lifetime {
            emptied = now
            for place in cells.indices { cells[place] = 0 }
        }
        let isNew = isNew(number, of: subject)
        let (first, second) = Self.places(subject)
        cells[first] = max(cells[first], number)
        cells[second] = max(cells[second], number)
        return isNew
    }

    /// Boot ids are random numbers already, and signed: without the key they cannot be chosen.
    private static func places(_ subject: UInt64) -> (Int, Int) {
        let mixed = mix(subject)
        return (Int(mixed % UInt64(width)), width + Int((mixed >> 32) % UInt64(width)))
    }
}
