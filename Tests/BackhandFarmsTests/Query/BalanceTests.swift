// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

struct BalanceTests {
    @Test(arguments: [
        ("farm_one", ["farm_one"]), ("farm_one,farm_two", ["farm_one", "farm_two"]), ("b,a,b", ["b", "a", "b"]),
        // A leading E is a part of the name here.
        ("Efarm", ["Efarm"]), ("E", ["E"]), ("a.b-c_d:8080", ["a.b-c_d:8080"]), ("[::1]", ["[::1]"]),
        ((1...16).map { "f\($0)" }.joined(separator: ","), (1...16).map { "f\($0)" }),
        (String(repeating: "x", count: 255), [String(repeating: "x", count: 255)]),
    ])
    func farms(query: String, names: [String]) {
        let asked = Asked("/balance/", query)
        #expect(asked.status == BH_ATH_OK && asked.farms == names && asked.arguments.isEmpty)
        #expect(!asked.request.is_signed && !asked.request.is_escaped && asked.request.kind == BH_ATH_BALANCE)
    }

    @Test(arguments: [
        ("", BH_ATH_EMISSING, "the name of a farm is wanted, as in balance/?farm_one"),
        (",", BH_ATH_ESYNTAX, "'' is not the name of a farm, which has 1 to 255 letters, digits, and . _ : - [ ]"),
        ("a,", BH_ATH_ESYNTAX, "nothing stands after the last comma"),
        ("a,,b", BH_ATH_ESYNTAX, "'' is not the name of a farm, which has 1 to 255 letters, digits, and . _ : - [ ]"),
        (
            "a%2Cb", BH_ATH_ESYNTAX,
            "'a%2Cb' is not the name of a farm, which has 1 to 255 letters, digits, and . _ : - [ ]"
        ),
        (
            "a\u{7f}\r\nb", BH_ATH_ESYNTAX,
            "'a???b' is not the name of a farm, which has 1 to 255 letters, digits, and . _ : - [ ]"
        ),
        (
            (1...17).map { "f\($0)" }.joined(separator: ","), BH_ATH_EMANY,
            "'f17' is one too many: a question is about at most 16 farms"
        ),
        ("h=a", BH_ATH_ECODE, "h=a: this path does not take the code"),
        ("a,f=\"%h\"", BH_ATH_ECODE, "f=\"%h\": this path does not take the code"),
        ("t=1,a", BH_ATH_ESYNTAX, "'a' stands after t=: the names of farms come first"),
        ("a,t=1", BH_ATH_EMISSING, "t= and m= are only of use together"),
    ])
    func refused(query: String, status: bh_ath_status_t, error: String) {
        let asked = Asked("/balance/", query)
        #expect(asked.status == status && asked.error == error)
    }

    @Test func longName() {
        let asked = Asked("/balance/", String(repeating: "x", count: 256))
        #expect(asked.status == BH_ATH_ESYNTAX)
        #expect(asked.error.hasPrefix("'" + String(repeating: "x", count: 64) + "...' is not the name"))
    }

    @Test func signed() {
        let digits = String(repeating: "0f", count: 32)
        let asked = Asked("/balance/", "a,b,t=1700000000,m=" + digits)
        #expect(asked.status == BH_ATH_OK && asked.farms == ["a", "b"] && asked.request.is_signed)
        #expect(asked.signedQuery == "a,b,t=1700000000")
        let alone = Asked("/balance/", "t=1700000000,m=" + digits)
        #expect(alone.status == BH_ATH_EMISSING)
    }
}
