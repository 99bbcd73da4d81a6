// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

/// What stands for a signature here: it has the sum of the bytes, and a byte of the key.
private let verify: bh_verify_fn = { keys, bytes, count, signature in
    let sum = (0..<count).reduce(UInt8(0)) { $0 &+ bytes.load(fromByteOffset: $1, as: UInt8.self) }
    let key = keys.load(as: UInt8.self)
    return (0..<32).allSatisfy { signature[$0] == ($0 == 0 ? sum : key) }
}

private func signature(of payload: String, farm: String = "farm_one", key: UInt8 = 7) -> String {
    let sum = "Backhand-Cookie\n\(farm)\n\(payload)".utf8.reduce(UInt8(0), &+)
    let hex = { (byte: UInt8) in (byte < 16 ? "0" : "") + String(byte, radix: 16) }
    return hex(sum) + String(repeating: hex(key), count: 31)
}

private func value(_ payload: String, farm: String = "farm_one", key: UInt8 = 7) -> String {
    "\(payload).\(signature(of: payload, farm: farm, key: key))"
}

private typealias Reading = (refused: UInt32, steer: bh_ath_steer_t, target: String)

private func read(_ header: String?, now: Int64 = 1000) -> Reading {
    var key: UInt8 = 7
    let texts = (Array("STEER".utf8CString), Array("farm_one".utf8CString), header.map { Array($0.utf8CString) })
    return withUnsafePointer(to: &key) { key in
        texts.0.withUnsafeBufferPointer { name in
            texts.1.withUnsafeBufferPointer { farm in
                var rules = bh_ath_cookie_rules_t(
                    name: name.baseAddress!, farm: farm.baseAddress!, keys: key, verify: verify, now_s: now)
                return texts.2?.withUnsafeBufferPointer { read(&rules, $0.baseAddress) } ?? read(&rules, nil)
            }
        }
    }
}

private func read(
    _ rules: UnsafePointer<bh_ath_cookie_rules_t>, _ header: UnsafePointer<CChar>?
) -> Reading {
    var cookie = bh_ath_cookie_t(steer: BH_ATH_STEER_FARM, target: bh_piece_t())
    let refused = bh_ath_cookie_read(rules, header, &cookie)
    let target = UnsafeBufferPointer(start: cookie.target.start, count: cookie.target.length)
    return (refused, cookie.steer, String(decoding: target.map { UInt8(bitPattern: $0) }, as: UTF8.self))
}

struct FarmCookieTests {
    @Test(arguments: [
        ("1.stay.1001.app01", BH_ATH_STEER_STAY, "app01"),
        ("1.prefer.1001.app01.example.com:8080", BH_ATH_STEER_PREFER, "app01.example.com:8080"),
        ("1.farm.999999999999.farm_two", BH_ATH_STEER_FARM, "farm_two"),
        ("1.stay.1001.[::1]:80", BH_ATH_STEER_STAY, "[::1]:80"), ("1.stay.01001.a", BH_ATH_STEER_STAY, "a"),
    ])
    func accepted(payload: String, steer: bh_ath_steer_t, target: String) {
        for header in [
            "STEER=\(value(payload))", "a=b; STEER=\"\(value(payload))\"; c", "x, STEER = \(value(payload)) ,y",
        ] {
            let result = read(header)
            #expect(result.refused == 0 && result.steer == steer && result.target == target, "\(header)")
        }
    }

    @Test(arguments: [
        value("2.stay.1001.a"), value("1.leave.1001.a"), value("1.stay.1000.a"), value("1.stay.0.a"),
        value("1.stay.1001."), value("1.stay.1001"), value("1.stay..a"), value("1.stay.-1.a"), value("1.stay.1e9.a"),
        value("1.stay.1000000000000.a"), value("1.stay.1001.a b"), value("1.stay.1001.a/b"), value("STAY.1001.a"),
        value("1.Stay.1001.a"), value("1.stay.1001.a", farm: "farm_two"), value("1.stay.1001.a", farm: "FARM_ONE"),
        value("1.stay.1001.a", key: 8), value("1.stay.1001.a").uppercased(), value("1.stay.1001.a") + "0",
        String(value("1.stay.1001.a").dropLast()), "1.stay.1001.a", "", ".", "....", "\"", "\"\"",
        value("1.stay.1001." + String(repeating: "a", count: 256)),
        String(repeating: "1.", count: 4000),
    ])
    func refused(value: String) {
        let result = read("STEER=\(value)")
        #expect(result.refused == 1 && result.steer == BH_ATH_STEER_NONE)
    }

    @Test(arguments: [nil, "", "STEER", "XSTEER=1", "steer=1", "STEER2=1", ";;,,", "=", "=STEER"])
    func noCookie(header: String?) {
        let result = read(header)
        #expect(result.refused == 0 && result.steer == BH_ATH_STEER_NONE)
    }

    @Test func theFirstThatCounts() {
        let (first, second) = (value("1.stay.1001.a"), value("1.prefer.1001.bb"))
        #expect(read("STEER=\(first); STEER=\(second)").steer == BH_ATH_STEER_STAY)
        let later = read("STEER=x; STEER=\(second); STEER=\(first)")
        #expect(later.refused == 1 && later.steer == BH_ATH_STEER_PREFER)
        let many = read(String(repeating: "STEER=x; ", count: 4) + "STEER=\(first)")
        #expect(many.refused == 4 && many.steer == BH_ATH_STEER_NONE)
    }

    @Test func anyBytes() {
        let whole = "STEER=" + value("1.stay.1001.a")
        for length in 0..<whole.utf8.count { #expect(read(String(whole.prefix(length))).steer == BH_ATH_STEER_NONE) }
    }

    @Test(arguments: [
        ("STEER", true), ("__Host-a.b", true), ("", false), ("a=b", false), ("a;b", false), ("a b", false),
        ("é", false), ("a\u{1}", false), (String(repeating: "a", count: 64), true),
        (String(repeating: "a", count: 65), false),
    ])
    func names(name: String, isOne: Bool) {
        #expect(name.withCString { bh_ath_cookie_name_check($0) } == isOne)
        #expect(!bh_ath_cookie_name_check(nil))
    }

    @Test func withoutWhatItNeeds() {
        #expect(bh_ath_cookie_read(nil, "STEER=1", nil) == 0)
        "STEER".withCString { name in
            var rules = bh_ath_cookie_rules_t(name: name, farm: name, keys: nil, verify: nil, now_s: 0)
            var cookie = bh_ath_cookie_t()
            let text = "STEER=" + value("1.stay.1001.a")
            #expect(bh_ath_cookie_read(&rules, text, &cookie) == 1 && cookie.steer == BH_ATH_STEER_NONE)
        }
    }
}
