// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import Testing

struct Line: Sendable, CustomTestStringConvertible {
    var own: String?
    var text: String
    var testDescription: String { (own.map { $0 + " " } ?? "") + text }

    func parsed() throws -> bh_destination_t {
        guard let own else { return try parseDestination(own: nil, text) }
        return try own.withCString { try parseDestination(own: $0, text) }
    }
}

@Suite struct DestinationTests {
    /// The lines of the original's papers, manual and user reports among them.
    @Test(
        arguments: [
            (Line(text: "239.255.221.20:4445,1"), nil, 0, "239.255.221.20", 4445, 1),
            (Line(text: "225.220.221.20:4445,1"), nil, 0, "225.220.221.20", 4445, 1),
            (Line(text: "239.255.221.20:4445"), nil, 0, "239.255.221.20", 4445, 1),
            (Line(text: "239.255.221.20:1024,255"), nil, 0, "239.255.221.20", 1024, 255),
            (Line(text: "224.0.0.1:65535,7"), nil, 0, "224.0.0.1", 65535, 7),
            (Line(text: "10.0.5.255:4445"), nil, 0, "10.0.5.255", 4445, 0),
            (Line(text: "255.255.255.255:4445"), nil, 0, "255.255.255.255", 4445, 0),
            (Line(text: "10.0.5.255:4445,3"), nil, 0, "10.0.5.255", 4445, 0),
            (Line(text: "240.220.221.20:4445,3"), nil, 0, "240.220.221.20", 4445, 0),
            (Line(own: "10.0.5.10", text: "10.0.5.255:4445"), "10.0.5.10", 0, "10.0.5.255", 4445, 0),
            (Line(own: "10.0.5.10", text: "240.220.221.20:4445,3"), "10.0.5.10", 0, "240.220.221.20", 4445, 0),
            (Line(own: "10.58.4.1", text: "239.255.221.20:4445,1"), "10.58.4.1", 0, "239.255.221.20", 4445, 1),
            (Line(own: "127.0.0.2:8080", text: "239.255.1.1:4445,1"), "127.0.0.2", 8080, "239.255.1.1", 4445, 1),
            (Line(own: "127.0.0.2:65535", text: "239.255.1.1:4445,1"), "127.0.0.2", 65535, "239.255.1.1", 4445, 1),
        ] as [(Line, String?, UInt16, String, UInt16, UInt8)])
    func read(line: Line, own: String?, ownPort: UInt16, group: String, port: UInt16, ttl: UInt8) throws {
        let destination = try line.parsed()
        #expect(destination.own == own.flatMap { parseAddress($0) } ?? bh_address_t(high: 0, low: 0))
        #expect(destination.own_port == ownPort)
        #expect(destination.group == parseAddress(group))
        #expect(destination.port == port)
        #expect(destination.ttl == ttl)
    }

    @Test(arguments: [
        (Line(text: ""), "'': a destination must be IPv4"),
        (Line(text: "239.255.221.20"), "'239.255.221.20': the port is missing; give destination:port"),
        (Line(text: "239.255.221.20,1"), "'239.255.221.20,1': the port is missing"),
        (Line(text: "239.255.221.20:"), "the port must be 1024 to 65535, not ''"),
        (Line(text: "239.255.221.20:0"), "'239.255.221.20:0': the port must be 1024 to 65535, not '0'"),
        (Line(text: "239.255.221.20:70000,1"), "'239.255.221.20:70000,1': the port must be 1024 to 65535, not '70000'"),
        (Line(text: "239.255.221.20:65536"), "not '65536'"),
        (
            Line(text: "239.255.221.20:1023"),
            "cannot open a port below 1024: the port must be 1024 to 65535, not '1023'"
        ),
        (Line(own: "10.0.5.10:80", text: "10.0.5.255:9"), "'10.0.5.255:9': the moderator does not run as root"),
        (Line(text: "239.255.221.20:18446744073709551696"), "not '18446744073709551696'"),
        (Line(text: "239.255.221.20:4445:1"), "'239.255.221.20:4445:1'"),
        (Line(text: "239.255.221.20:4445,0"), "the ttl must be 1 to 255, not '0'"),
        (Line(text: "239.255.221.20:4445,256"), "the ttl must be 1 to 255, not '256'"),
        (Line(text: "239.255.221.20:4445,"), "the ttl must be 1 to 255, not ''"),
        (Line(text: "239.255.221.20:4445,1,1"), "not '1,1'"),
        (Line(text: "10.0.5.255:4445,900"), "the ttl must be 1 to 255, not '900'"),
        (Line(text: "0.0.0.0:4445"), "'0.0.0.0:4445': no server can be reached"),
        (Line(text: "10.0.5:4445"), "a destination must be IPv4"),
        (Line(text: "10.0.5.256:4445"), "not '10.0.5.256'"),
        (
            Line(text: "cluster.example.com:4445"),
            "a destination must be IPv4, as 239.255.221.20:4445,1 or 10.0.0.255:4445, not 'cluster.example.com'"
        ),
        (Line(text: "[ff02::1]:4445"), "'[ff02::1]:4445': a destination must be IPv4"),
        (Line(text: "ff02::1"), "a destination must be IPv4"),
        (Line(own: "", text: "10.0.5.255:4445"), "'': our own address must be IPv4"),
        (
            Line(own: "web1:80", text: "10.0.5.255:4445"),
            "'web1:80': our own address must be IPv4, as 10.0.0.4 or 10.0.0.4:80, not 'web1'"
        ),
        (Line(own: "0.0.0.0", text: "10.0.5.255:4445"), "'0.0.0.0': our own address must be one that a single server"),
        (Line(own: "239.255.1.1", text: "10.0.5.255:4445"), "our own address must be one"),
        (Line(own: "255.255.255.255", text: "10.0.5.255:4445"), "our own address must be one"),
        (Line(own: "240.0.0.1", text: "10.0.5.255:4445"), "our own address must be one"),
        (Line(own: "10.0.5.10:0", text: "10.0.5.255:4445"), "'10.0.5.10:0': the port must be 1 to 65535, not '0'"),
        (Line(own: "10.0.5.10:70000", text: "10.0.5.255:4445"), "not '70000'"),
        (Line(own: "10.0.5.10,1", text: "10.0.5.255:4445"), "not '10.0.5.10,1'"),
        (Line(own: "2001:db8::4", text: "10.0.5.255:4445"), "'2001:db8::4': our own address must be IPv4"),
        (Line(own: "::ffff:10.0.0.4", text: "10.0.5.255:4445"), "our own address must be IPv4"),
    ])
    func refused(line: Line, expected: String) {
        let error = #expect(throws: ConfigurationError.self) { try line.parsed() }
        #expect(error?.text.contains(expected) == true, "\(error?.text ?? "")")
        #expect((error?.text.utf8.count ?? 0) < Int(BH_ERROR_SIZE))
    }

    /// However long the argument is, the reason still fits into an error text.
    @Test func longArgument() {
        let long = String(repeating: "x", count: 10_000)
        let error = #expect(throws: ConfigurationError.self) { try Line(own: nil, text: long).parsed() }
        #expect((error?.text.utf8.count ?? .max) < Int(BH_ERROR_SIZE))
    }
}
