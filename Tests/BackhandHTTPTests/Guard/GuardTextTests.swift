// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandHTTP

private let signature = "000102030405060708090a0b0c0d0eff"

struct GuardTextTests {
    /// docs/protocol.md says what is signed.
    @Test(
        arguments: [
            ("10.0.0.1", 1_700_000_000, "10.0.0.1\n1700000000"), ("fe80::1%eth0", 0, "fe80::1\n0"), ("", -5, "\n0"),
        ] as [(String, Int64, String)])
    func made(by client: String, second: Int64, end: String) {
        let (client, method, path) = (TextOfC(client), TextOfC("GET"), TextOfC("/a?b=c"))
        let claim = makeClaim(client: client.start, second: second)
        let text = written { writeSignedText(claim, method: method.start, path: path.start, into: &$0) }
        #expect(text == "Backhand-Proxied\nGET\n/a?b=c\n" + end)
    }

    /// What a front makes is what a server reads, and both sign the same text.
    @Test func frontAndServer() {
        let (client, method, path) = (TextOfC("fe80::1%eth0"), TextOfC("GET"), TextOfC("/"))
        var made = makeClaim(client: client.start, second: 1_700_000_000)
        withUnsafeMutableBytes(of: &made.signature) { $0.copyBytes(from: 100..<116) }
        let value = TextOfC(written { writeClaim(made, into: &$0) })
        let read = readClaim(value.start)
        #expect(read.is_signed && withUnsafeBytes(of: read.signature) { Array($0) } == Array(100..<116))
        let texts = [made, read].map { claim in
            written { writeSignedText(claim, method: method.start, path: path.start, into: &$0) }
        }
        #expect(texts[0] == texts[1])
    }

    /// Zeros in front are another text.
    @Test func zerosAreSigned() {
        let (value, none) = (TextOfC("a; t=007; s=" + signature), TextOfC(""))
        let claim = readClaim(value.start)
        #expect(
            written { writeSignedText(claim, method: none.start, path: none.start, into: &$0) }
                == "Backhand-Proxied\n\n\na\n007")
    }
}
