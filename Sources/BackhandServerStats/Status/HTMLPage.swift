// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Writes HTML into a page that is handed on piece by piece.
struct HTMLPage {
    /// Above this many bytes the page is handed on: one row of a table, up to 1 kB, fits after it without growing the
    /// page.
    private static let full = 2560
    private var bytes: [UInt8] = []

    init() {
        bytes.reserveCapacity(4096)
    }

    /// Hands the text on if there is much of it, or if nothing follows; false if the sink wants no more.
    mutating func drain(to sink: TextSink, last: Bool = false) -> Bool {
        guard bytes.count > Self.full || last else { return true }
        let taken = bytes.withUnsafeBufferPointer { sink($0) }
        bytes.removeAll(keepingCapacity: true)
        return taken
    }

    /// Text of ours, which may have tags.
    @inline(never)
    mutating func put(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(never)
    mutating func put(_ value: UInt64) {
        var divisor = UInt64(1)
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

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
            bytes.append(UInt8(ascii: "0") + UInt8(number / scale % 10))
        }
    }

    /// What others chose, up to its NUL or the end of its room: never a tag, nor the end of an attribute's value.
    @inline(never)
    mutating func put(escaping text: UnsafeRawBufferPointer) {
        for byte in text {
            switch byte {
            case 0: return
            case UInt8(ascii: "<"): put("&lt;")
            case UInt8(ascii: ">"): put("&gt;")
            case UInt8(ascii: "&"): put("&amp;")
            case UInt8(ascii: "\""): put("&quot;")
            default: bytes.append(byte)
            }
        }
    }

    @inline(never)
    mutating func put(_ address: bh_address_t) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(BH_ADDRESS_SIZE)) { text in
            let length = formatAddress(address, into: text)
            put(escaping: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[..<length]))
        }
    }

    /// As in a URL: "10.0.0.4:80", "[2001:db8::4]:80".
    mutating func put(_ address: bh_address_t, port: UInt16) {
        let isBracketed = address.ipv4 == nil
        if isBracketed { put("[") }
        put(address)
        put(isBracketed ? "]:" : ":")
        put(UInt64(port))
    }
}
