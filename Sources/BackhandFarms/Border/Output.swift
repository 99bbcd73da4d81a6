// Licensed under the Apache License, Version 2.0; see LICENSE.

// The calls of farms.h for output.

internal import BackhandText
public import CBackhand

@c @implementation
public func bh_ath_format_check(
    _ format: bh_piece_t, _ error: UnsafeMutablePointer<CChar>?, _ size: Int
) -> bh_ath_status_t {
    complaining(to: error, size) { () throws(Complaint) in
        guard format.start != nil else { throw impossible }
        guard let text = Word(format, most: Int(BH_ATH_QUERY_MOST)) else {
            throw Complaint(BH_ATH_EFORMAT, code: UInt8(ascii: "f"), nil, "the format has more than 8192 bytes")
        }
        try checkFormat(text)
    }
}

@c @implementation
public func bh_ath_format_default(_ kind: bh_ath_kind_t) -> UnsafePointer<CChar> {
    kind.defaultFormat.characters
}

@c @implementation
public func bh_ath_line_write(
    _ format: bh_piece_t, _ value: bh_ath_value_fn?, _ baton: UnsafeRawPointer?, _ line: UnsafeMutablePointer<CChar>?,
    _ size: Int
) -> Int {
    guard let value, line != nil, size >= 2, let text = Word(format, most: Int(BH_ATH_QUERY_MOST)) else { return 0 }
    var writer = LineWriter(line, size, reserved: 2)
    guard writeLine(text, RowValues(find: value, baton: baton), into: &writer) else { return 0 }
    return writer.endLine()
}
