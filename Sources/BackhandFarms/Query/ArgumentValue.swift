// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// A load that fits mod_backhand's, which is an int of thousandths.
private let loadMost = Int64(2_000_000_000)

extension bh_ath_argument_t {
    /// Reads the value of a code of the table.
    init(_ row: bh_ath_row_t, _ value: Word) throws(Complaint) {
        self.init(code: row.code, name: bh_piece_t(), text: value.crossing, number: 0)
        if row.type == BH_ATH_STATISTIC {
            guard readStatistic(value) else { throw complaint(row, value) }
        } else if row.type != BH_ATH_NAME {
            guard let number = readNumber(row.type, value) else { throw complaint(row, value) }
            self.number = number
        } else if !value.isName {
            throw complaint(row, value)
        }
    }

    /// "name:number"; as names may have colons, the last one counts.
    private mutating func readStatistic(_ value: Word) -> Bool {
        guard let colon = value.bytes.lastIndex(of: UInt8(ascii: ":")) else { return false }
        let name = value.prefix(colon)
        let rest = value.dropping(colon &+ 1)
        guard name.isName, let number = readThousandths(rest) else { return false }
        (self.name, self.text, self.number) = (name.crossing, rest.crossing, number)
        return true
    }
}

private func readNumber(_ type: bh_ath_type_t, _ value: Word) -> Int64? {
    switch type {
    case BH_ATH_ON_OFF: readSwitch(value, "on", "off")
    case BH_ATH_UP_DOWN: readSwitch(value, "up", "down")
    case BH_ATH_DECIMAL: readThousandths(value, in: 0...loadMost)
    case BH_ATH_SHARE: readThousandths(value, in: 0...1000)
    default: nil
    }
}

private func readSwitch(_ value: Word, _ yes: StaticString, _ no: StaticString) -> Int64? {
    value.equals(yes) ? 1 : value.equals(no) ? 0 : nil
}

/// "12", "-0.5", "1.23456", whose last places are dropped; nil: it is something else, as "1e3", "nan", ".5" and "1.",
/// or outside of the range. 15 digits before the point are the most that a number of thousandths has room for.
func readThousandths(_ text: Word, in range: ClosedRange<Int64> = .min ... .max) -> Int64? {
    var scanner = Scanner(text.bytes)
    let isNegative = scanner.take(UInt8(ascii: "-"))
    guard let number = scanner.decimal(places: 3), scanner.isAtEnd, number.places != 0,
        number.count &- (number.places ?? 0) <= 15
    else { return nil }
    let size = Int64(truncatingIfNeeded: number.scaled(to: 3))
    let value = isNegative ? 0 &- size : size
    return range.contains(value) ? value : nil
}

@inline(never)
private func complaint(_ row: bh_ath_row_t, _ value: Word) -> Complaint {
    let reason: StaticString =
        switch row.type {
        case BH_ATH_NAME: "a name is wanted, of 1 to 255 letters, digits, and . _ : - [ ]"
        case BH_ATH_ON_OFF: "on or off is wanted"
        case BH_ATH_UP_DOWN: "up or down is wanted"
        case BH_ATH_DECIMAL: "a number from 0 to 2000000 is wanted, such as 0.25"
        case BH_ATH_SHARE: "a number from 0 to 1 is wanted, such as 0.25"
        default: "a name, a colon and a number are wanted, such as threads:12.5"
        }
    return Complaint(BH_ATH_EVALUE, code: row.letter, value, reason)
}

extension bh_ath_row_t {
    /// The code as a byte of the query.
    var letter: UInt8 { UInt8(truncatingIfNeeded: code.rawValue) }
}
