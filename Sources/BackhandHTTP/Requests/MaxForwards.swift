// Licensed under the Apache License, Version 2.0; see LICENSE.

/// The number of Max-Forwards, as strtol reads it; nil if the text is not a positive number, or is one that does not
/// fit.
public func readMaxForwards(_ text: UnsafePointer<CChar>) -> Int64? {
    var digits = Piece(text)
    digits.skipSpace()
    if !digits.isEmpty, digits.start.pointee == UInt8(ascii: "+") { digits = digits.dropping(1) }
    var number: Int64 = 0
    for place in 0..<digits.count {
        guard isDigit(digits.start[place]) else { return nil }
        let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tens.addingReportingOverflow(Int64(digits.start[place] &- UInt8(ascii: "0")))
        guard !overflow, !carry else { return nil }
        number = sum
    }
    return number > 0 ? number : nil
}
