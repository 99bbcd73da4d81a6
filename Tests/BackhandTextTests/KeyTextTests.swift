// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Testing

private let one = "0123456789abcdef0123456789abcdef"
private let two = "fedcba9876543210fedcba9876543210"

@Suite struct KeyTextTests {
    /// The keys of the text, or what is wrong with it.
    private func read(_ text: String, takes: Bool = true) -> [String] {
        var text = text
        return text.withUTF8 { bytes in
            var keys: [String] = []
            do throws(ConfigurationError) {
                try KeyText(Word(bytes)).read { key in
                    keys.append(String(decoding: key.bytes, as: UTF8.self))
                    return takes
                }
                return keys
            } catch {
                return [error.text]
            }
        }
    }

    @Test(arguments: [
        (one, [one]), (one + "\n", [one]), ("# old\r\n\r\n \t\(one)\t \r\n\(two)", [one, two]),
        (String(repeating: "k", count: 256), [String(repeating: "k", count: 256)]),
        ("#\n\n\(two)\n\(one)\n\n", [two, one]),
    ])
    func keys(text: String, keys: [String]) {
        #expect(read(text) == keys)
    }

    @Test(arguments: [
        "", "\n\n", "# \(one)", "\r\n",
    ])
    func none(text: String) {
        #expect(read(text) == ["it holds no key; make one with openssl rand -hex 32"])
    }

    @Test(arguments: [
        (String(one.dropLast()), 1), (one + "\n" + String(repeating: "k", count: 257), 2), ("\n\n\(one) \(two)", 3),
        (String(repeating: "ä", count: 32), 1), (one + "\0" + one, 1), (one + "\u{7f}", 1),
    ])
    func noKey(text: String, line: Int) {
        let why = " is not a key: 32 to 256 printable characters without blanks; make one with openssl rand -hex 32"
        #expect(read(text) == ["line \(line)" + why])
    }

    @Test func aThirdIsTooMany() {
        #expect(read("#\n\(one)\n\(two)\n\(one)") == ["line 4 is a third key: one signs, one more is accepted"])
    }

    @Test func aKeyThatCannotBeUsed() {
        #expect(read(one, takes: false) == ["libcrypto has no HMAC-SHA-256"])
    }
}
