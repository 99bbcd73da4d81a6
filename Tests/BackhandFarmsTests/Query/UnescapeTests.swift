// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

struct UnescapeTests {
    /// A client may escape everything, what it must, or as browsers do: quotes, but no percent signs.
    @Test(
        arguments: [
            (#"Ef="%h,%c""#, "%h,%c"), ("Ef=%22%h,%c%22", "%h,%c"), ("Ef=%22%25h%2C%25c%22", "%h,%c"),
            (#"Ef="%25h%2c%25c""#, "%h,%c"), (#"Ef=%22%h,%c""#, "%h,%c"), ("E%66%3d%22%25h%22", "%h"),
            (#"Ef="%h%20%c""#, "%h %c"), (#"Ef="100%25%25""#, "100%%"), (#"Ef="a\%22b""#, #"a\"b"#),
            ("Ef=%22a%5C%22b%22", #"a\"b"#), (#"Ef="%h+%c""#, "%h+%c"), (#"Ef="%C3""#, nil), (#"Ef="%0a""#, nil),
            (#"Ef="%00""#, nil), ("Ef=%22%h", nil), ("Ef=%2%h%22", nil), ("Ef=%22%h%2", nil), (#"Ef="%""#, nil),
            (#"Ef="%2""#, nil), (#"Ef="%zz""#, nil),
            // Two hexadecimal digits are an escape, in quotes too.
            (#"Ef="%c0""#, nil), (#"Ef="%25c0""#, "%c0"), (#"Ef="%%62""#, "%b"), (#"Ef="%25%2562""#, "%%62"),
        ] as [(String, String?)])
    func formats(query: String, format: String?) {
        let asked = Asked("/status/phys", query)
        #expect((asked.status == BH_ATH_OK) == (format != nil))
        #expect(asked.format == format)
    }

    @Test(arguments: [
        ("Eh=%", "%"), ("Eh=%4", "%4"), ("Eh=%4g", "%4g"), ("Eh=%g4", "%g4"), ("Eh=%zzabc", "%zz"), ("Eh=%00", "%00"),
        (#"Ef="%h",h=%h"#, "%h"), (#"Ef="\"",h=%x"#, "%x"), ("Eh=a%%41", "%%4"),
    ])
    func broken(query: String, shown: String) {
        let asked = Asked("/status/phys", query)
        #expect(asked.status == BH_ATH_ESYNTAX)
        #expect(asked.error == "'\(shown)' is not an escape of a printable character")
    }

    /// Without an E nothing is unescaped.
    @Test(arguments: ["h=%61", "f=%22%h%22", "%68=a", "e=1"]) func notLeading(query: String) {
        #expect(Asked("/status/phys", query).status != BH_ATH_OK)
    }

    @Test func saysWhatHelps() {
        #expect(
            Asked("/status/phys", "f=%22%h%22").error
                == "f=%22%h%22: a format in quotes is wanted; if they are escaped, E begins the query")
    }

    @Test(arguments: 0...255) func everyByte(byte: Int) {
        let digits = [String(byte, radix: 16), String(byte, radix: 16).uppercased()].map {
            ($0.count == 1 ? "0" : "") + $0
        }
        for hex in digits {
            let name = Asked("/status/phys", "Eh=a%\(hex)b")
            let scalar = Character(UnicodeScalar(UInt8(byte)))
            let isName = byte < 128 && (scalar.isLetter || scalar.isNumber || "._:-[]".contains(scalar))
            #expect((name.status == BH_ATH_OK) == isName)
            if isName { #expect(name.summary == "h=a\(scalar)b/0") }
        }
    }
}
