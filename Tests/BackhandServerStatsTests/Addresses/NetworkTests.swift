// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import Testing

@Suite struct NetworkTests {
    @Test(arguments: [
        ("10.0.0.4", "10.0.0.4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("10.0.0.4/32", "10.0.0.4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("10.0.0.0/24", "10.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00"),
        ("10.0.0.77/24", "10.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00"),
        ("10.0.0.0/255.255.255.0", "10.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00"),
        ("128.220.221.0/024", "128.220.221.0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00"),
        ("10.1.2.3/0", "0.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff::"),
        ("10.1.2.3/0.0.0.0", "0.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff::"),
        ("10.1.2.3/255.255.255.255", "10.1.2.3", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::4", "2001:db8::4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::4/32", "2001:db8::", "ffff:ffff::"),
        ("2001:db8::4/64", "2001:db8::", "ffff:ffff:ffff:ffff::"),
        ("2001:db8::4/65", "2001:db8::", "ffff:ffff:ffff:ffff:8000::"),
        ("2001:db8::4/127", "2001:db8::4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"),
        ("2001:db8::4/0", "::", "::"),
        ("::ffff:10.0.0.4/120", "10.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00"),
    ])
    func read(text: String, base: String, mask: String) throws {
        let network = try parseNetwork(text)
        #expect(network.base == parseAddress(base))
        #expect(network.mask == parseAddress(mask))
    }

    @Test(arguments: [
        (
            "10.0.0.0/33",
            "'10.0.0.0/33': after the slash there must be 0 to 32 bits or a mask as 255.255.255.0, not '33'"
        ),
        ("10.0.0.0/", "not ''"),
        ("10.0.0.0/-1", "not '-1'"),
        ("10.0.0.0/+8", "not '+8'"),
        ("10.0.0.0/4294967320", "not '4294967320'"),
        ("10.0.0.0/24/8", "not '24/8'"),
        ("10.0.0.0/ffff::", "not 'ffff::'"),
        ("10.0.0.0/255.0.255.0", "'10.0.0.0/255.0.255.0': the mask '255.0.255.0' has holes"),
        ("10.0.0.0/0.0.0.255", "has holes"),
        ("2001:db8::/129", "'2001:db8::/129': after the slash there must be 0 to 128 bits, not '129'"),
        ("2001:db8::/255.255.0.0", "0 to 128 bits, not '255.255.0.0'"),
        ("", "'' is not a network: give an address as 10.0.0.4, or a network as 10.0.0.0/24"),
        ("/24", "'/24' is not a network"),
        ("10.0/16", "'10.0/16' is not a network"),
        ("web.example.com", "'web.example.com' is not a network"),
        ("web.example.com", "names are not resolved"),
        ("10.0.0.0/24\u{7}\n", "not '24??'"),
        (String(repeating: "1", count: 5000), "'" + String(repeating: "1", count: 64) + "...' is not a network"),
    ])
    func refused(text: String, expected: String) {
        let error = #expect(throws: ConfigurationError.self) { try parseNetwork(text) }
        #expect(error?.text.contains(expected) == true, "\(error?.text ?? "")")
        #expect((error?.text.utf8.count ?? 0) < Int(BH_ERROR_SIZE))
    }

    @Test(arguments: [
        ("10.0.0.0/24", "10.0.0.0", true),
        ("10.0.0.0/24", "10.0.0.255", true),
        ("10.0.0.0/24", "10.0.1.0", false),
        ("10.0.0.0/24", "::10.0.0.1", false),
        ("10.0.0.4", "10.0.0.4", true),
        ("10.0.0.4", "10.0.0.5", false),
        ("0.0.0.0/0", "255.255.255.255", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "10.0.0.1", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("2001:db8::8/125", "2001:db8::f", true),
        ("2001:db8::8/125", "2001:db8::10", false),
    ])
    func contains(network: String, address: String, expected: Bool) throws {
        #expect(try parseNetwork(network).contains(try #require(parseAddress(address))) == expected)
    }
}
