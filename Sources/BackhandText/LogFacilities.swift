// Licensed under the Apache License, Version 2.0; see LICENSE.

/// What BackhandLogLevel lines have switched on: four levels of each of mod_backhand's facilities, as bits.
public struct LogFacilities {
    /// Four for each facility, the least talkative is the lowest.
    public private(set) var bits: UInt32

    private static var levels: Int { 4 }

    /// What the lines before have switched on.
    public init(bits: UInt32) {
        self.bits = bits
    }

    /// Switches on or off what the value names, such as "+dcsn2".
    public mutating func take(_ text: Word) throws(ConfigurationError) {
        var scanner = Scanner(text.bytes)
        let isOn = scanner.take(UInt8(ascii: "+"))
        guard isOn || scanner.take(UInt8(ascii: "-")), let named = Self.read(text.dropping(1)) else {
            throw ConfigurationError(
                text,
                " is not a log level: give + or -, then mbcs, dcsn or net, then all, 1, 2, 3 or 4, as +dcsnall")
        }
        bits = isOn ? bits | named : bits & ~named
    }

    /// The most that any facility was given, 1 to 4; 0: nothing.
    public var highest: UInt32 {
        var found = 0
        for bit in 0..<3 * Self.levels where bits >> bit & 1 == 1 { found = max(found, bit % Self.levels + 1) }
        return UInt32(found)
    }

    private static func read(_ text: Word) -> UInt32? {
        let facilities: InlineArray<3, StaticString> = ["mbcs", "dcsn", "net"]
        for index in facilities.indices {
            let length = facilities[index].utf8CodeUnitCount
            guard text.prefix(length).equals(facilities[index], ignoringCase: true) else { continue }
            let level = text.dropping(length)
            if level.equals("all", ignoringCase: true) { return 0xf << UInt32(levels * index) }
            if let number = level.number(in: 1...4), level.bytes.count == 1 {
                return 1 << UInt32(levels * index + Int(number) - 1)
            }
        }
        return nil
    }
}
