// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@Suite struct AddressTests {
    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.255.255", true), ("126.255.255.255", false), ("128.0.0.0", false), ("::1", true),
        ("::2", false),
        ("::ffff:127.0.0.1", true), ("2001:db8::1", false),
    ])
    func loopback(text: String, isLoopback: Bool) throws {
        #expect(try #require(parseAddress(text)).isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("169.254.0.0", true), ("169.254.169.254", true), ("169.254.255.255", true), ("169.253.255.255", false),
        ("169.255.0.0", false),
        ("fe80::1", true), ("febf:ffff::1", true), ("fe7f::1", false), ("fec0::1", false),
        ("::ffff:169.254.169.254", true),
    ])
    func linkLocal(text: String, isLinkLocal: Bool) throws {
        #expect(try #require(parseAddress(text)).isLinkLocal == isLinkLocal)
    }

    @Test(arguments: [
        ("10.0.0.4", "10.0.0.4"),
        ("0.0.0.0", "0.0.0.0"),
        ("255.255.255.255", "255.255.255.255"),
        ("2001:db8::4", "2001:db8::4"),
        ("2001:DB8:0:0:0:0:0:4", "2001:db8::4"),
        ("2001:0db8:0001:0000:0001:0000:0001:0001", "2001:db8:1:0:1:0:1:1"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("::", "::"),
        ("::1", "::1"),
        ("::ffff:10.0.0.4", "10.0.0.4"),
    ])
    func readAndWritten(text: String, expected: String) throws {
        let address = try #require(parseAddress(text))
        #expect(address.text == expected)
        #expect(parseAddress(expected) == address)
    }

    @Test(arguments: [
        "", " ", "10.0.0", "10.0.0.256", "10.0.0.4.5", "10.0.0.4 ", "010.0.0.4", "10.0.0.4:80", "[::1]", "::1%lo",
        "1::2::3", "localhost",
        "2001:db8::12345",
    ])
    func refused(text: String) {
        #expect(parseAddress(text) == nil)
    }

    /// The text and its NUL need exactly so many bytes; one less is not written.
    @Test(arguments: ["10.0.0.4", "2001:db8::4"])
    func roomIsChecked(text: String) throws {
        let address = try #require(parseAddress(text))
        var room = [CChar](repeating: 0x7f, count: text.utf8.count + 1)
        let whole = room.withUnsafeMutableBufferPointer { formatAddress(address, into: $0) }
        #expect(whole == text.utf8.count)
        #expect(room.last == 0)
        let cut = room.withUnsafeMutableBufferPointer {
            formatAddress(address, into: UnsafeMutableBufferPointer(rebasing: $0.dropLast()))
        }
        #expect(cut == 0)
        #expect(formatAddress(address, into: UnsafeMutableBufferPointer(start: nil, count: 0)) == 0)
    }

    @Test(arguments: [
        ("10.0.0.4", true, false),
        ("0.1.2.3", false, false),
        ("127.0.0.1", true, false),
        ("223.255.255.255", true, false),
        ("224.0.0.0", false, true),
        ("239.255.255.255", false, true),
        ("240.0.0.1", false, false),
        ("255.255.255.255", false, false),
        ("::", false, false),
        ("::1", true, false),
        ("fe80::1", true, false),
        ("ff02::1", false, true),
    ])
    func kinds(text: String, unicast: Bool, multicast: Bool) throws {
        let address = try #require(parseAddress(text))
        #expect(address.isUnicast == unicast)
        #expect(address.isMulticast == multicast)
    }
}
