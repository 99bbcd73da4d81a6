// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// A piece of HTTPRedirectToName's format.
enum NamePiece: Equatable {
    case byte(UInt8)
    /// %#S and %-#S: the server's announced name, some parts of it.
    case server(Parts)
    /// %#H and %-#H: the name in the request's Host header, some parts of it.
    case host(Parts)

    /// How many of a name's parts stay; parts are what the dots separate.
    enum Parts: Equatable {
        /// # without a sign.
        case plain(Int)
        /// # after a minus.
        case minus(Int)
    }
}

/// Takes the next piece from a format; nil if a '%' begins none. The caller has seen that the text does not end here.
func takePiece(_ next: inout UnsafePointer<UInt8>) -> NamePiece? {
    let first = next.pointee
    next += 1
    guard first == UInt8(ascii: "%") else { return .byte(first) }
    let isMinus = next.pointee == UInt8(ascii: "-")
    if isMinus { next += 1 }
    guard let number = takeNumber(&next) else { return nil }
    let parts: NamePiece.Parts = isMinus ? .minus(number) : .plain(number)
    let letter = next.pointee
    guard letter == UInt8(ascii: "S") || letter == UInt8(ascii: "H") else { return nil }
    next += 1
    return letter == UInt8(ascii: "S") ? .server(parts) : .host(parts)
}

/// One or two digits that make 1 to 99.
private func takeNumber(_ next: inout UnsafePointer<UInt8>) -> Int? {
    var digits = Digits()
    while digits.count < 2, digits.take(next.pointee) { next += 1 }
    return digits.value > 0 ? Int(digits.value) : nil
}

/// Whether the configuration may have this format: not empty, and nothing in it that no host name has.
func isNameFormat(_ text: UnsafePointer<CChar>) -> Bool {
    var next = UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
    guard next.pointee != 0 else { return false }
    while next.pointee != 0 {
        guard let piece = takePiece(&next) else { return false }
        if case .byte(let byte) = piece, !isOfHostName(byte) { return false }
    }
    return true
}
