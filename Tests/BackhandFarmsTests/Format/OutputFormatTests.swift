// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

struct OutputFormatTests {
    private func check(_ format: String) -> (status: bh_ath_status_t, error: String) {
        let memory = UnsafeMutableBufferPointer.copy(Array(format.utf8))
        defer { memory.deallocate() }
        var room = [CChar](repeating: 1, count: Int(BH_ATH_ERROR_SIZE))
        let status = bh_ath_format_check(memory.piece, &room, room.count)
        return (status, status == BH_ATH_OK ? "" : text(in: room))
    }

    @Test(arguments: [
        "%h", "%h,%c", "x", " ", "%%", "100%%", "%-20h|%6c", "%1c", "%99c", "%-1h", #"%h\n"#, #"\t\\\""#, "%{threads}s",
        "%-12{jvm:gc}s", "%n%h%o%u%i%l%p%c%v%w%d%g%e%a%b%r%k%j",
    ])
    func good(format: String) {
        #expect(check(format) == (BH_ATH_OK, ""))
    }

    @Test(arguments: [
        ("", "f=: it is empty"), ("%", "f=%: ends before its code"), ("%h%", "f=%: ends before its code"),
        ("a%9", "f=%9: ends before its code"), ("%-", "f=%-: lacks the width after its minus"),
        ("%-h", "f=%-: lacks the width after its minus"), ("%z", "f=%z: has no code that exists"),
        ("%H", "f=%H: has no code that exists"), ("% h", "f=% : has no code that exists"),
        ("%5%", "f=%5%: has no code that exists"), ("%.3l", "f=%.: has no code that exists"),
        ("%9999c", "f=%9999: has a width that is not one of 1 to 99"),
        ("%100c", "f=%100: has a width that is not one of 1 to 99"),
        ("%0c", "f=%0: has a width that is not one of 1 to 99"),
        ("%05c", "f=%05: has a width that is not one of 1 to 99"),
        (
            "%18446744073709551617c",
            "f=%18446744073709551617: has a width that is not one of 1 to 99"
        ),
        ("%--5c", "f=%-: lacks the width after its minus"), ("%f", "f=%f: is a code for queries only"),
        ("%t", "f=%t: is a code for queries only"), ("%m", "f=%m: is a code for queries only"),
        ("%s", "f=%s: is wrong: s has a name, as in %{threads}s, and no other code has one"),
        ("%{x}h", "f=%{x}h: is wrong: s has a name, as in %{threads}s, and no other code has one"),
        ("%{}s", "f=%{: has braces without the name of a statistic"),
        ("%{x", "f=%{x: has braces without the name of a statistic"),
        ("%{a b}s", "f=%{a b: has braces without the name of a statistic"), ("%{x}", "f=%{x}: ends before its code"),
        (#"\"#, #"f=\: is not one of the escapes \n, \t, \\ and \""#),
        (#"\r"#, #"f=\r: is not one of the escapes \n, \t, \\ and \""#),
        (#"a"b"#, #"f=": is the end of the format: write \" for a quote in it"#),
        ("a\nb", "f=?: is not a printable character"), ("\u{7f}", "f=?: is not a printable character"),
        ("é", "f=?: is not a printable character"), ("a\u{0}", "f=?: is not a printable character"),
    ])
    func bad(format: String, error: String) {
        #expect(check(format) == (BH_ATH_EFORMAT, error))
        #expect(format.isEmpty || Asked("/status/phys", "f=\"\(format)\"").status != BH_ATH_OK)
    }

    @Test func everyLetter() {
        for byte in UInt8(0)...255 {
            let row = bh_ath_row(CChar(bitPattern: byte))
            let isShown = row.code != BH_ATH_NO_CODE && !Set("ftms".utf8).contains(byte)
            let memory = UnsafeMutableBufferPointer.copy([UInt8(ascii: "%"), byte])
            defer { memory.deallocate() }
            #expect((bh_ath_format_check(memory.piece, nil, 0) == BH_ATH_OK) == (isShown || byte == UInt8(ascii: "%")))
            #expect(row.code == BH_ATH_NO_CODE || row.code.rawValue == UInt32(byte))
        }
    }

    @Test(arguments: [
        (#"f="%h""#, "%h"), (#"f="a,b",h=x"#, "a,b"), (#"h=x,f="\",\"""#, #"\",\""#), (#"f="\\""#, #"\\"#),
        (#"f="%{x}s,%h""#, "%{x}s,%h"),
    ])
    func quoted(query: String, format: String) {
        let asked = Asked("/status/phys", query)
        #expect(asked.status == BH_ATH_OK && asked.format == format)
    }

    @Test(arguments: [
        "f=%h", #"f=""#, #"f="%h"#, #"f=%h""#, #"f="%h"x"#, #"f="%h""""#, #"f="\"#, #"f="%h\""#, "f=", "f='%h'",
    ])
    func notQuoted(query: String) {
        let asked = Asked("/status/phys", query)
        #expect(asked.status == BH_ATH_EFORMAT && asked.error.hasSuffix("if they are escaped, E begins the query"))
    }

    @Test func emptyQuotes() {
        #expect(Asked("/status/phys", #"f="""#).error == "f=: it is empty")
    }

    @Test func defaults() {
        for kind in BH_ATH_BALANCE.rawValue...BH_ATH_MIRROR_PHYS.rawValue {
            #expect(check(String(cString: bh_ath_format_default(bh_ath_kind_t(kind)))).status == BH_ATH_OK)
        }
        let formats = [BH_ATH_NO_KIND, BH_ATH_BALANCE, BH_ATH_UPDATE_FARM, BH_ATH_MIRROR_PHYS].map {
            String(cString: bh_ath_format_default($0))
        }
        #expect(formats == ["", "%h", "%n,%o,%k,%j,%c", "%n,%h,%o,%u,%i,%c,%l,%p,%a,%b,%r"])
    }
}
