// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandServerStats
public import BackhandText

/// Writes the words of a directive's arguments one after the other, each with its NUL; returns their bytes.
///
/// - Parameter room: as long as the arguments, and a byte more.
public func splitWords(
    _ arguments: Word, into room: UnsafeMutableBufferPointer<UInt8>
) throws(ConfigurationError) -> Int {
    var reader = DirectiveWords(arguments)
    var end = 0
    while case let word = reader.next(), !word.isEmpty {
        guard end + word.count < room.count else { throw Message("is too long").error }
        for byte in word {
            room[end] = byte
            end += 1
        }
        room[end] = 0
        end += 1
    }
    return end
}

/// Reads the words of BackhandCheck: `/health host=name interval=1 timeout=2 rise=2 fall=2 expect=200-399 text=word`.
///
/// - Parameter words: one after the other, each with its NUL. The check's texts lie there.
public func parseCheck(_ words: UnsafeBufferPointer<UInt8>) throws(ConfigurationError) -> bh_check_t {
    var check = bh_check_t()
    (check.interval_ms, check.timeout_ms) = (1000, 2000)
    (check.rise, check.fall) = (2, 2)
    check.expect = ("200-399" as StaticString).characters
    var place = 0
    while place < words.count, let start = words.baseAddress {
        let text = UnsafeRawPointer(start + place).assumingMemoryBound(to: CChar.self)
        try check.take(text)
        place += Word(text).bytes.count + 1
    }
    guard check.path != nil else { throw Message("takes a path, as /health, and then name=value").error }
    return check
}

/// What may stand after the path.
private var names: StaticString { "host interval timeout rise fall expect text" }

/// Words of mod_proxy_hcheck, and what stands here in their place.
private var otherNames: StaticString {
    """
    hcuri the path, which comes first
    hcinterval interval=
    hcpasses rise=
    hcfails fall=
    hcexpr expect= or text=
    hcmethod always GET
    """
}

extension bh_check_t {
    fileprivate mutating func take(_ text: UnsafePointer<CChar>) throws(ConfigurationError) {
        let (name, value) = Word(text).split(at: UInt8(ascii: "="))
        for other in Word(otherNames.bytes).pieces(at: Ascii.newline) {
            let (word, instead) = other.split(at: Ascii.space)
            guard word.equals(name, ignoringCase: true), let instead else { continue }
            throw ConfigurationError(name, " is a word of mod_proxy_hcheck: here it is ", instead)
        }
        guard path != nil else {
            // It is sent as it is, so that it may have nothing that ends a request line.
            guard text[0] == CChar(bitPattern: UInt8(ascii: "/")), isPrintable(Word(text)) else {
                throw ConfigurationError(Word(text), " is not a path, as /health, which comes first")
            }
            path = text
            return
        }
        var index = 0
        for word in Word(names.bytes).pieces(at: Ascii.space) {
            if word.equals(name, ignoringCase: true), let value, !value.bytes.isEmpty {
                return try set(index, value, text + (name.bytes.count + 1))
            }
            index += 1
        }
        throw ConfigurationError(
            Word(text), " is not host, interval, timeout, rise, fall, expect or text, an equals sign and a value")
    }

    private mutating func set(
        _ index: Int, _ value: Word, _ place: UnsafePointer<CChar>
    ) throws(ConfigurationError) {
        switch index {
        case 0:
            guard isPrintable(value) else { throw ConfigurationError(value, " is not a value for the header Host") }
            host = place
        case 1: interval_ms = try seconds(value, through: 3600)
        case 2: timeout_ms = try seconds(value, through: 60)
        case 3: rise = try times(value)
        case 4: fall = try times(value)
        case 5:
            _ = try StatusRanges(checking: value)
            expect = place
        default: self.text = place
        }
    }
}

private func isPrintable(_ word: Word) -> Bool { word.bytes.allSatisfy { $0 > Ascii.space && $0 < 0x7f } }

/// Milliseconds, of seconds with up to three decimals.
private func seconds(_ value: Word, through most: UInt32) throws(ConfigurationError) -> UInt32 {
    let rule = NumberRule(what: "a number of seconds", decimals: 3, above: 0, from: 0, through: most)
    let milliseconds = UInt32(clamping: try rule.parse(value))
    guard milliseconds >= 100 else { throw ConfigurationError(value, " is less than 0.1 s") }
    return milliseconds
}

private func times(_ value: Word) throws(ConfigurationError) -> UInt32 {
    UInt32(clamping: try NumberRule(what: "a number of checks", from: 1, through: 100).parse(value))
}
