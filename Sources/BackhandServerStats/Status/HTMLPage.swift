// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// Writes HTML into a page that is handed on piece by piece.
struct HTMLPage {
    private var text = Message()

    mutating func drain(to sink: TextSink, last: Bool = false) -> Bool { text.drain(to: sink, last: last) }

    /// Text of ours, which may have tags.
    mutating func put(_ words: StaticString) { text.add(words) }

    mutating func put(_ value: UInt64) { text.add(value) }

    mutating func put(_ reason: Reason, of facts: bh_facts_t) { text.add(reason, of: facts) }

    @inline(never)
    mutating func put(_ value: Int32) {
        if value < 0 { put("-") }
        put(UInt64(value.magnitude))
    }

    /// With decimals, rounded half up from the digits of its binary fraction, as httpd's own formatter does it.
    @inline(never)
    mutating func put(_ value: Double, decimals: Int) {
        if value < 0 { put("-") }
        let magnitude = min(abs(value), 1e12)
        let whole = magnitude.rounded(.down)
        var (number, rest, scale) = (UInt64(whole), magnitude - whole, UInt64(1))
        for place in 0...decimals {
            rest *= 10
            let digit = rest.rounded(.down)
            number = number &* 10 &+ UInt64(digit)
            rest -= digit
            if place < decimals { scale *= 10 }
        }
        number = (number &+ 5) / 10
        put(number / scale)
        guard decimals > 0 else { return }
        put(".")
        while scale > 1 {
            scale /= 10
            text.add(byte: UInt8(ascii: "0") + UInt8(number / scale % 10))
        }
    }

    /// What others chose, up to its NUL or the end of its room.
    mutating func put(escaping characters: UnsafeRawBufferPointer) { text.add(escaping: characters) }

    mutating func put(_ address: bh_address_t) { text.add(address) }

    mutating func put(_ address: bh_address_t, port: UInt16) { text.add(address, port: port) }
}
