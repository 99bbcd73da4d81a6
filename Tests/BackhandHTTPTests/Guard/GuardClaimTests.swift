// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandHTTP

private let signature = "000102030405060708090a0b0c0d0eff"

struct GuardClaimTests {
    private func client(_ claim: bh_claim_t) -> String {
        Piece(
            start: UnsafeRawPointer(claim.client.start!).assumingMemoryBound(to: UInt8.self), count: claim.client.length
        ).string
    }

    @Test(arguments: [
        ("203.0.113.7", "203.0.113.7", 11, true), ("2001:db8::7", "2001:db8::7", 11, true),
        ("fe80::1%eth0", "fe80::1%eth0", 7, true),
        ("fe80::1%", "fe80::1%", 7, true), ("fe80::1%a%b", "fe80::1%a%b", 7, true),
        ("10.0.0.1%eth0", "10.0.0.1%eth0", 13, false),
        ("%fe80::1", "%fe80::1", 8, false), ("", "", 0, false), (";", "", 0, false), ("unknown", "unknown", 7, false),
        ("::", "::", 2, true),
        ("10.0.0.1 ", "10.0.0.1 ", 9, false), ("10.0.0.1, 10.0.0.2", "10.0.0.1, 10.0.0.2", 18, false),
        ("10.0.0.1;", "10.0.0.1", 8, true),
    ])
    func clients(value: String, client text: String, plain: Int, isAddress: Bool) {
        let value = TextOfC(value)
        let claim = readClaim(value.start)
        #expect(client(claim) == text && claim.plain == plain && claim.has_address == isAddress && !claim.is_signed)
    }

    @Test(
        arguments: [
            ("10.0.0.1; t=0; s=", 0), ("10.0.0.1; t=1700000000; s=", 1_700_000_000), ("fe80::1%eth0; t=007; s=", 7),
            ("; t=999999999999999999; s=", 999_999_999_999_999_999), ("anything; t=000000000000000001; s=", 1),
        ] as [(String, Int64)])
    func signed(before: String, seconds: Int64) {
        let value = TextOfC(before + signature)
        let claim = readClaim(value.start)
        #expect(claim.is_signed && claim.signed_s == seconds)
        #expect(withUnsafeBytes(of: claim.signature) { Array($0) } == Array(0...14) + [255])
        #expect(written { writeClaim(claim, into: &$0) } == before + signature, "a claim has one text")
    }

    @Test(
        arguments: [
            "10.0.0.1", "10.0.0.1; t=", "10.0.0.1; t=1", "10.0.0.1; t=1; s=", "10.0.0.1; t=; s=\(signature)",
            "10.0.0.1;t=1; s=\(signature)",
            "10.0.0.1; t=-1; s=\(signature)", "10.0.0.1; t=1 ; s=\(signature)", "10.0.0.1; s=\(signature); t=1",
            "10.0.0.1; T=1; s=\(signature)", "10.0.0.1; t=1; s=\(signature.uppercased())",
            "10.0.0.1; t=1; s=\(signature)0",
            "10.0.0.1; t=1; s=\(signature) ", "10.0.0.1; t=1; s=\(signature.dropLast())",
            "10.0.0.1; t=1; s=\(signature.dropLast())g",
            "10.0.0.1; t=1; s=/\(signature.dropFirst())", "10.0.0.1; t=1; s=:\(signature.dropFirst())",
            // 19 digits may not fit.
            "10.0.0.1; t=9999999999999999999; s=\(signature)", "10.0.0.1; t=0000000000000000001; s=\(signature)",
        ] as [String])
    func notSigned(value: String) {
        let value = TextOfC(value)
        #expect(!readClaim(value.start).is_signed)
    }

    @Test(
        arguments: [
            ("0", 0), ("1", 1), ("2", 2), ("3", 3), ("4", 3), ("9", 3), ("", 3), ("12", 3), ("-1", 3), (" 1", 3),
            ("1 ", 3), ("x", 3),
        ] as [(String, Int32)])
    func hops(value: String, hops: Int32) {
        let value = TextOfC(value)
        #expect(readHops(value.start, most: 3) == hops)
    }
}
