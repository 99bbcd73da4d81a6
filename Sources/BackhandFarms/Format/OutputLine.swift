// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// Where the values of a row come from.
struct RowValues {
    let find: bh_ath_value_fn
    let baton: UnsafeRawPointer?

    /// nil: it is not known.
    func value(of field: FormatField) -> bh_ath_value_t? {
        var value = bh_ath_value_t()
        let name = field.name?.crossing ?? bh_piece_t()
        return find(baton, field.row.code, name, &value) ? value : nil
    }
}

/// Writes a row as the format says; false: the format cannot be used.
func writeLine(_ text: Word, _ values: RowValues, into writer: inout LineWriter) -> Bool {
    do throws(Complaint) {
        try checkFormat(text)
        var format = OutputFormat(text)
        while !writer.isFull, let part = try format.next() {
            switch part {
            case .byte(let byte): writer.add(byte)
            case .field(let field): writer.add(field, values.value(of: field))
            }
        }
        return true
    } catch {
        return false
    }
}

extension LineWriter {
    mutating func add(_ field: FormatField, _ value: bh_ath_value_t?) {
        guard field.width > 0 else { return add(value, field.row.type) }
        var counter = LineWriter()
        counter.add(value, field.row.type)
        if !field.isLeft { pad(field.width &- counter.length) }
        add(value, field.row.type)
        if field.isLeft { pad(field.width &- counter.length) }
    }

    private mutating func add(_ value: bh_ath_value_t?, _ type: bh_ath_type_t) {
        guard let value else { return add(UInt8(ascii: "-")) }
        let isSet = value.number != 0
        switch type {
        case BH_ATH_NAME, BH_ATH_TEXT:
            if let text = Word(value.text, most: .max) { add(printable: text) }
        case BH_ATH_ON_OFF: add(isSet ? "on" : "off")
        case BH_ATH_UP_DOWN: add(isSet ? "up" : "down")
        case BH_ATH_IN_OUT: add(isSet ? "in" : "out")
        default: add(value.number, inThousandths: type != BH_ATH_COUNT)
        }
    }

    /// Thousandths without zeros at their end: 12500 is "12.5", 12000 is "12".
    private mutating func add(_ number: Int64, inThousandths: Bool) {
        if number < 0 { add(UInt8(ascii: "-")) }
        guard inThousandths else { return add(number.magnitude) }
        add(number.magnitude / 1000)
        var (places, digits) = (number.magnitude % 1000, 3)
        guard places > 0 else { return }
        while places % 10 == 0 {
            places /= 10
            digits &-= 1
        }
        add(Ascii.point)
        add(places, digits: digits)
    }
}
