// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

struct ArgumentTests {
    /// The example of mod_athena's documentation, word for word.
    @Test func exampleOfTheOriginal() {
        let asked = Asked("/status/phys/", #"Eh=app01,f="%h,%c""#)
        #expect(asked.status == BH_ATH_OK && asked.request.is_escaped && asked.request.kind == BH_ATH_STATUS_PHYS)
        #expect(asked.summary == "h=app01/0" && asked.format == "%h,%c")
    }

    @Test(arguments: [
        ("/status/phys/", "", ""), ("/status/phys/", "E", ""), ("/status/farm", "n=farm_one", "n=farm_one/0"),
        ("/status/phys", "h=[2001:db8::4]:80,n=a", "h=[2001:db8::4]:80/0 n=a/0"), ("/status/engine/", "", ""),
        // Without anything else: the member is alive.
        ("/update/phys/", "h=app01", "h=app01/0"), ("/update/farm", "o=off,n=a", "o=off/0 n=a/0"),
        ("/update/phys", "h=a,o=on,u=down", "h=a/0 o=on/1 u=down/0"), ("/mirror/farm", "n=a,o=on", "n=a/0 o=on/1"),
        ("/mirror/phys/", "h=a,u=up", "h=a/0 u=up/1"),
        ("/update/phys", "h=a,l=12.25,p=0.5", "h=a/0 l=12.25/12250 p=0.5/500"),
        ("/update/phys", "h=a,l=0,p=0", "h=a/0 l=0/0 p=0/0"), ("/update/phys", "h=a,l=-0", "h=a/0 l=-0/0"),
        ("/update/phys", "h=a,l=2000000,p=1", "h=a/0 l=2000000/2000000000 p=1/1000"),
        ("/update/phys", "h=a,l=0.123456789", "h=a/0 l=0.123456789/123"),
        ("/update/phys", "h=a,p=1.000", "h=a/0 p=1.000/1000"), ("/update/phys", "h=a,p=1.0009", "h=a/0 p=1.0009/1000"),
        ("/update/phys", "h=a,s=threads:12.5,s=db:40", "h=a/0 s:threads=12.5/12500 s:db=40/40000"),
        ("/update/phys", "h=a,s=jvm:gc:-1.5", "h=a/0 s:jvm:gc=-1.5/-1500"),
        (
            "/update/phys", "h=a,s=x:999999999999999.999,s=y:-999999999999999.999",
            "h=a/0 s:x=999999999999999.999/999999999999999999 s:y=-999999999999999.999/-999999999999999999"
        ),
        ("/update/phys", "Eh=a%3A80,s%3dx:1", "h=a:80/0 s:x=1/1000"), ("/update/phys", "E%68=a", "h=a/0"),
        ("/update/phys", "Eh%3Da%2Cl%3D1", "h=a/0 l=1/1000"),
    ])
    func good(path: String, query: String, summary: String) {
        let asked = Asked(path, query)
        #expect(asked.error == "" && asked.status == BH_ATH_OK && asked.summary == summary && asked.farms.isEmpty)
        #expect(asked.format == nil && asked.request.is_escaped == query.hasPrefix("E"))
        #expect(!asked.request.is_signed && asked.signedQuery == nil)
    }

    @Test(arguments: [
        ("h", BH_ATH_ESYNTAX, "'h' is not an argument: code=value is wanted, such as h=app01"),
        ("host=a", BH_ATH_ESYNTAX, "'host=a' is not an argument: code=value is wanted, such as h=app01"),
        ("=a", BH_ATH_ESYNTAX, "'=a' is not an argument: code=value is wanted, such as h=app01"),
        (",h=a", BH_ATH_ESYNTAX, "'' is not an argument: code=value is wanted, such as h=app01"),
        ("h=a,,o=on", BH_ATH_ESYNTAX, "'' is not an argument: code=value is wanted, such as h=app01"),
        ("h=a,", BH_ATH_ESYNTAX, "nothing stands after the last comma"),
        ("z=1", BH_ATH_ECODE, "z=1: no such code"), ("H=a", BH_ATH_ECODE, "H=a: no such code"),
        ("\u{1}=a", BH_ATH_ECODE, "?=a: no such code"), ("==a", BH_ATH_ECODE, "==a: no such code"),
        ("c=1", BH_ATH_ECODE, "c=1: this path does not take the code"),
        ("i=out", BH_ATH_ECODE, "i=out: this path does not take the code"),
        ("w=3", BH_ATH_ECODE, "w=3: this path does not take the code"),
        ("h=a,o=on,o=on", BH_ATH_ECODE, "o=on: the code is there twice"),
        ("h=a,s=x:1,s=y:2,s=x:3", BH_ATH_ECODE, "s=x: the statistic is there twice"),
        ("h=", BH_ATH_EVALUE, "h=: a name is wanted, of 1 to 255 letters, digits, and . _ : - [ ]"),
        ("h=a b", BH_ATH_EVALUE, "h=a b: a name is wanted, of 1 to 255 letters, digits, and . _ : - [ ]"),
        ("h=a/b", BH_ATH_EVALUE, "h=a/b: a name is wanted, of 1 to 255 letters, digits, and . _ : - [ ]"),
        ("h=é", BH_ATH_EVALUE, "h=??: a name is wanted, of 1 to 255 letters, digits, and . _ : - [ ]"),
        ("h=a,o=1", BH_ATH_EVALUE, "o=1: on or off is wanted"),
        ("h=a,o=ON", BH_ATH_EVALUE, "o=ON: on or off is wanted"),
        ("h=a,o=up", BH_ATH_EVALUE, "o=up: on or off is wanted"), ("h=a,o=", BH_ATH_EVALUE, "o=: on or off is wanted"),
        ("h=a,u=off", BH_ATH_EVALUE, "u=off: up or down is wanted"),
        ("o=on", BH_ATH_EMISSING, "h= is missing: which host is it about"),
        ("", BH_ATH_EMISSING, "h= is missing: which host is it about"),
        ("n=a", BH_ATH_EMISSING, "h= is missing: which host is it about"),
    ])
    func bad(query: String, status: bh_ath_status_t, error: String) {
        let asked = Asked("/update/phys/", query)
        #expect(asked.status == status && asked.error == error)
        #expect(Asked("/mirror/phys", query).error == error, "as from another engine")
    }

    @Test(arguments: [
        ("/update/farm", "h=a", "h=a: this path does not take the code"),
        ("/update/farm", "n=a,u=up", "u=up: this path does not take the code"),
        ("/update/farm", "o=on", "n= is missing: which farm is it about"),
        ("/mirror/farm", "", "n= is missing: which farm is it about"),
        ("/status/farm", "h=a", "h=a: this path does not take the code"),
        ("/status/engine", "n=a", "n=a: this path does not take the code"),
        ("/status/phys", "h=a,o=on", "o=on: this path does not take the code"),
        ("/status/phys", "h=a,t=1", "t=1: this path does not take the code"),
    ])
    func badForThePath(path: String, query: String, error: String) {
        #expect(Asked(path, query).error == error)
    }

    @Test(arguments: ["", "-", "+1", "1e3", "nan", "inf", "0x10", " 1", "1 ", ".5", "1.", "1.2.3", "--1", "-", "1,5"])
    func noNumbers(text: String) {
        #expect(Asked("/update/phys", "h=a,l=\(text)").status != BH_ATH_OK)
        #expect(Asked("/update/phys", "h=a,p=\(text)").status != BH_ATH_OK)
        #expect(Asked("/update/phys", "h=a,s=x:\(text)").status != BH_ATH_OK)
    }

    @Test(arguments: [
        ("l=2000000.001", "a number from 0 to 2000000 is wanted, such as 0.25"),
        ("l=-0.001", "a number from 0 to 2000000 is wanted, such as 0.25"),
        ("p=1.001", "a number from 0 to 1 is wanted, such as 0.25"),
        ("p=-1", "a number from 0 to 1 is wanted, such as 0.25"),
        ("s=x", "a name, a colon and a number are wanted, such as threads:12.5"),
        ("s=:1", "a name, a colon and a number are wanted, such as threads:12.5"),
        ("s=x=1", "a name, a colon and a number are wanted, such as threads:12.5"),
        ("s=x:1000000000000000", "a name, a colon and a number are wanted, such as threads:12.5"),
        ("s=x:-1000000000000000", "a name, a colon and a number are wanted, such as threads:12.5"),
        ("s=x:99999999999999999999999", "a name, a colon and a number are wanted, such as threads:12.5"),
    ])
    func outOfRange(argument: String, reason: String) {
        let asked = Asked("/update/phys", "h=a," + argument)
        #expect(asked.status == BH_ATH_EVALUE && asked.error == "\(argument): \(reason)")
    }

    @Test func bounds() {
        let name = String(repeating: "n", count: 255)
        #expect(Asked("/update/phys", "h=\(name),n=\(name),s=\(name):1").status == BH_ATH_OK)
        for query in ["h=n\(name)", "h=a,n=n\(name)", "h=a,s=n\(name):1"] {
            #expect(Asked("/update/phys", query).status == BH_ATH_EVALUE)
        }
        let most = "h=a," + (1...31).map { "s=x\($0):1" }.joined(separator: ",")
        #expect(Asked("/update/phys", most).arguments.count == 32)
        let asked = Asked("/update/phys", most + ",o=on")
        #expect(asked.status == BH_ATH_EMANY)
        #expect(asked.error == "'o=on' is one too many: a query has at most 32 arguments")
    }

    @Test(arguments: [8193, 100_000]) func tooLong(count: Int) {
        let asked = Asked("/status/phys", [UInt8](repeating: 0x22, count: count))
        #expect(asked.status == BH_ATH_ELONG && asked.error == "the query has more than 8192 bytes")
        #expect(Asked("/balance", [UInt8](repeating: 0x2c, count: count)).status == BH_ATH_ELONG)
    }

    @Test func justLongEnough() {
        let format = String(repeating: "x", count: 8192 - 4)
        #expect(Asked("/status/phys", "f=\"\(format)\"").format == format)
        let escaped = String(repeating: "%78", count: (8192 - 5) / 3)
        #expect(Asked("/status/phys", "Ef=\"\(escaped)\"").format?.utf8.count == (8192 - 5) / 3)
    }

    /// The error line is whole, whatever the query has; nothing is written where it has no room.
    @Test func errorText() {
        let asked = Asked("/update/phys", "h=" + String(repeating: "\u{0}\n", count: 1000))
        #expect(
            asked.error == "h=" + String(repeating: "?", count: 64)
                + "...: a name is wanted, of 1 to 255 letters, digits, and . _ : - [ ]")
        let query = Array("h=/".utf8).map { CChar(bitPattern: $0) }
        for size in 0...5 {
            var (room, request) = ([CChar](repeating: 1, count: 8), bh_ath_request_t())
            var memory = query
            let path = UnsafeMutableBufferPointer.copy(Array("/update/phys".utf8))
            defer { path.deallocate() }
            let status = query.withUnsafeBufferPointer { query in
                bh_ath_request_read(
                    path.piece, bh_piece_t(start: query.baseAddress, length: 3), &memory, 3, &request, &room, size)
            }
            #expect(status == BH_ATH_EVALUE && room[size...].allSatisfy { $0 == 1 })
            #expect(size == 0 || text(in: room) == String("h=/: ".prefix(size - 1)))
        }
    }
}
