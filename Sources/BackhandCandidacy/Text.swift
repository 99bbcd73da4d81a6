// Licensed under the Apache License, Version 2.0; see LICENSE.

/// A text of the configuration as an error may quote it: printable ASCII, at most 40 bytes, so that what follows is not cut.
func quotable(_ text: UnsafePointer<CChar>) -> String {
    var bytes: [UInt8] = []
    while text[bytes.count] != 0, bytes.count < 40 {
        let byte = UInt8(bitPattern: text[bytes.count])
        bytes.append(byte >= 0x20 && byte < 0x7f ? byte : UInt8(ascii: "?"))
    }
    return String(decoding: bytes, as: UTF8.self) + (text[bytes.count] == 0 ? "" : "...")
}

extension StaticString {
    var text: String {
        String(decoding: UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount), as: UTF8.self)
    }

    /// The same as a text of C: the compiler ends it with a NUL.
    var characters: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }

    /// Whether a text of C has the same bytes.
    func equals(_ text: UnsafePointer<CChar>) -> Bool {
        for index in 0..<utf8CodeUnitCount where UInt8(bitPattern: text[index]) != utf8Start[index] { return false }
        return text[utf8CodeUnitCount] == 0
    }
}
