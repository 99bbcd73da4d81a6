// Licensed under the Apache License, Version 2.0; see LICENSE.

/// The seconds of "timeout=" in a value of Keep-Alive; nil if there is none. What does not fit is the largest number.
public func readKeepAliveTimeout(_ text: UnsafePointer<CChar>) -> UInt32? {
    var rest = Piece(text)
    while !rest.isEmpty {
        if rest.take(anyCase: "timeout=") { return leadingNumber(rest) }
        rest = rest.dropping(1)
    }
    return nil
}

/// As strtoul reads it: 0 if there is no digit, and a negative number does not fit.
private func leadingNumber(_ text: Piece) -> UInt32 {
    var text = text
    text.skipSpace()
    let sign = text.isEmpty ? 0 : text.start.pointee
    let isNegative = sign == UInt8(ascii: "-")
    if isNegative || sign == UInt8(ascii: "+") { text = text.dropping(1) }
    var number: UInt32 = 0
    for place in 0..<text.count {
        guard isDigit(text.start[place]) else { break }
        let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tens.addingReportingOverflow(UInt32(text.start[place] &- UInt8(ascii: "0")))
        guard !overflow, !carry else { return .max }
        number = sum
    }
    return isNegative && number > 0 ? .max : number
}
