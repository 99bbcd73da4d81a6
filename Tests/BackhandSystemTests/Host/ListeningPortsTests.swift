// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import Glibc
import Testing

@testable import BackhandSystem

@Suite struct ListeningPortsTests {
    @Test(
        arguments: [
            (UInt64(0), UInt64(0xffff_7f00_0001), UInt16(8080), false, "0100007F:1F90"),
            (0, 0xffff_0000_0000, 80, false, "00000000:0050"),
            (0, 0, 443, true, "00000000000000000000000000000000:01BB"),
            (0x2001_0db8_0000_0000, 4, 80, true, "B80D0120000000000000000004000000:0050"),
        ])
    func names(high: UInt64, low: UInt64, port: UInt16, overIPv6: Bool, name: String) {
        #expect(localName(high: high, low: low, port: port, overIPv6: overIPv6).text == name)
    }

    private static let heading = "  sl  local_address rem_address   st tx_queue rx_queue\n"
    private static let first = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000\n"
    private static let second = "   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000\n"
    private static let connection = "   2: 0100007F:1F91 0100007F:0050 01 00000000:00000000 00:00000000\n"

    @Test(
        arguments: [
            ("", nil), (heading, nil), (heading + first, true), (heading + second, nil),
            (heading + second + first, true),
            (heading + second + connection, false), (heading + connection + first, false),
            (heading + second + first.dropLast(), nil), (heading + second + connection.dropLast(), nil),
            (heading + "   0: 0100007F:1F90 00000000:0000 01\n", false), (heading + "nonsense\n", false),
        ] as [(String, Bool?)])
    func tables(text: String, listens: Bool?) {
        var local = Message()
        local.add("0100007F:1F90")
        #expect(parsing(text) { parseListening($0, at: local) } == listens)
    }

    @Test func aPortIsClosedWhenItsSocketIs() {
        let (fd, port) = listeningSocket()
        #expect(!isPortClosed(high: 0, low: 0xffff_7f00_0001, port: port, overIPv6: false))
        close(fd)
        #expect(isPortClosed(high: 0, low: 0xffff_7f00_0001, port: port, overIPv6: false))
    }

    private func listeningSocket() -> (fd: Int32, port: UInt16) {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var (name, size) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        withUnsafeMutableBytes(of: &name) { bytes in
            let start = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!
            #expect(bind(fd, start, size) == 0 && listen(fd, 1) == 0 && getsockname(fd, start, &size) == 0)
        }
        return (fd, UInt16(bigEndian: name.sin_port))
    }
}
