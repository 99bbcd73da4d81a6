// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandServerStats
internal import BackhandText

/// What stands in the place of {} in a form.
enum LinePart {
    case word(StaticString)
    case text(Message)
    case number(UInt64)
    case address(bh_address_t)
    /// "10.0.0.4:80" or "[2001:db8::4]:80".
    case place(bh_address_t, UInt16)
}

extension LinePart {
    /// A text of C.
    @inline(never)
    static func characters(_ text: UnsafePointer<CChar>) -> LinePart { .text(Message(Word(text))) }
}

extension Message {
    init(form: StaticString, _ parts: LinePart...) { self.init(form: form, parts) }

    /// A text made of a form, for people: an interpolation is compiled to several hundred bytes for each value,
    /// wherever it stands.
    @inline(never)
    init(form: StaticString, _ parts: [LinePart]) {
        self.init()
        var next = 0
        var begin = 0
        let bytes = form.bytes
        for index in bytes.indices where bytes[index] == UInt8(ascii: "{") {
            add(UnsafeBufferPointer(rebasing: bytes[begin..<index]))
            if next < parts.count { add(parts[next]) }
            next += 1
            begin = index + 2
        }
        add(UnsafeBufferPointer(rebasing: bytes[begin...]))
    }

    private mutating func add(_ part: LinePart) {
        switch part {
        case .word(let word): add(word)
        case .text(let more): add(more)
        case .number(let number): add(number)
        case .address(let address): add(address)
        case .place(let address, let port): add(address, port: port)
        }
    }
}
