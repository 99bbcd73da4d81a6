// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

extension Word {
    /// Whether it may name a host, a farm or a statistic.
    var isName: Bool {
        guard !bytes.isEmpty, bytes.count <= Int(BH_ATH_NAME_MOST) else { return false }
        for byte in bytes where !isNameByte(byte) { return false }
        return true
    }

    /// As it crosses the border.
    var crossing: bh_piece_t {
        bh_piece_t(
            start: UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self), length: bytes.count)
    }

    /// A piece that came across the border; nil: its length is impossible, or above the bound.
    init?(_ piece: bh_piece_t, most: Int) {
        guard piece.length >= 0, piece.length <= most else { return nil }
        let start = UnsafeRawPointer(piece.start)?.assumingMemoryBound(to: UInt8.self)
        self.init(UnsafeBufferPointer(start: start, count: start == nil ? 0 : piece.length))
    }
}

/// [A-Za-z0-9._:-] and the brackets of an IPv6 address.
private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
        UInt8(ascii: "-"), UInt8(ascii: "["), UInt8(ascii: "]"):
        true
    default: false
    }
}
