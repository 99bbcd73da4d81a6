// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import CBackhand
import Testing

@testable import BackhandFarms

@Suite("Lines of AthMember and AthMembers")
struct MemberLineTests {
    /// "host port weight forward", or the error.
    private func read(_ text: String, isPattern: Bool = false) -> String {
        var line = bh_ath_line_t()
        var error = [CChar](repeating: 1, count: Int(BH_ATH_ERROR_SIZE))
        let words = text.split(separator: " ").map { word -> UnsafePointer<CChar>? in
            UnsafePointer(UnsafeMutableBufferPointer<CChar>.copy(Array(word.utf8) + [0]).baseAddress)
        }
        defer { words.forEach { $0?.deallocate() } }
        let status = bh_ath_line_read(words, UInt32(words.count), isPattern, &line, &error, error.count)
        guard status == BH_ATH_OK else { return BackhandFarmsTests.text(in: error) }
        let forward = line.forward.map { " " + String(cString: $0) } ?? ""
        return "\(line.host.start == nil ? "" : line.host.string) \(line.port) \(line.weight)\(forward)"
    }

    @Test(arguments: [
        ("app01", "app01 0 100"), ("app01.example.com:8080", "app01.example.com 8080 100"),
        ("project_app_1:80", "project_app_1 80 100"), ("_x", "_x 0 100"), ("a--b-.c", "a--b-.c 0 100"),
        ("app.example.com.", "app.example.com. 0 100"), ("app.:8080", "app. 8080 100"),
        ("10.0.0.7:65535", "10.0.0.7 65535 100"), ("127.0.0.1", "127.0.0.1 0 100"), ("1a", "1a 0 100"),
        ("4.example", "4.example 0 100"), ("app.1", "app.1 0 100"), ("0xfg", "0xfg 0 100"), ("beef", "beef 0 100"),
        ("[::1]", "[::1] 0 100"), ("[2001:DB8::7]:81", "[2001:DB8::7] 81 100"),
        ("[::ffff:1.2.3.4]:80", "[::ffff:1.2.3.4] 80 100"),
        ("a loadfactor=2.5", "a 0 250"), ("a LoadFactor=0.01 Forward=http://b/", "a 0 1 http://b/"),
        ("a forward=http://u@b:8080 loadfactor=1", "a 0 100 http://u@b:8080"),
    ])
    func members(_ text: String, are expected: String) {
        #expect(read(text) == expected)
    }

    @Test func labelsOf63Bytes() {
        let label = String(repeating: "a", count: 63)
        #expect(read(label + ".b") == label + ".b 0 100")
        #expect(read("b.a" + label).hasSuffix("is not a name or an address, with or without a port"))
        let long = Array(repeating: label, count: 4).joined(separator: ".")
        #expect(read(long).contains("is not a name or an address"))
        #expect(read(String(long.dropLast(2))) == String(long.dropLast(2)) + " 0 100")
    }

    @Test(arguments: [
        "-", ".", "..", "a..b", ".a", "1..2", "a..", "-a", "a.-b", "[::]", "[]", "[:]", "[:::]", "[::1", "[1::2::3]",
        "[12345::]", "[1.2.3.4]", "[fe80::1%eth0]", "0.0.0.0", "0", "00", "10.1", "1.2.3.4.5", "256.0.0.1",
        "010.0.0.1", "10.0.0.7.", "::1", "a:", "a:0", "a:80x",
        "a:65536", "a:80:80", "http://a/", "a/", "u@a", "a%62",
    ])
    func noMembers(_ text: String) {
        let isAddress = ["0.0.0.0", "[::]"].contains(text)
        let reason = isAddress ? "the address of a server" : "a name or an address, with or without a port"
        #expect(read(text) == "'\(text)' is not \(reason)")
    }

    @Test(arguments: [
        ("224.0.0.1", "is not the address of a server"), ("255.255.255.255:80", "is not the address of a server"),
        ("[ff02::1]", "is not the address of a server"), ("[::ffff:0.0.0.0]:80", "is not the address of a server"),
        ("a:080", "has a port that begins with a zero"), ("[::1]:00080", "has a port that begins with a zero"),
    ])
    func badPlaces(_ text: String, _ reason: String) {
        #expect(read(text) == "'\(text)' \(reason)")
    }

    @Test(arguments: [
        ("a loadfactor=2 loadfactor=2", "'loadfactor=2' is the second loadfactor of the line"),
        ("a loadfactor=1 forward=http://b/ LOADFACTOR=3", "'LOADFACTOR=3' is the second loadfactor of the line"),
        ("a forward=http://b/ forward=http://c/", "'forward=http://c/' is the second forward of the line"),
        ("a loadfactor=0", "'loadfactor=0' is not a loadfactor from 0.01 to 100"),
        ("a forward=/b", "'forward=/b' has no whole URL, such as http://sorry.example.com/"),
        ("a b", "'b' is unknown: loadfactor= and forward= are known"),
    ])
    func badWords(_ text: String, _ error: String) {
        #expect(read(text) == error)
    }

    @Test(arguments: [
        ("^app[0-9]+\\. loadfactor=2", " 0 200"), ("-", " 0 100"),
        ("a forward=http://b/", "'forward=http://b/' is unknown: loadfactor= is known"),
    ])
    func patterns(_ text: String, are expected: String) {
        #expect(read(text, isPattern: true) == expected)
    }
}
