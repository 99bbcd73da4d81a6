// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator

private func order(_ state: bh_state_t?, _ server: String? = nil) -> ControlRequest {
    .order(ControlOrder(state: state, server: server.flatMap { NamedServer(Array($0.utf8)) }))
}

@Test(
    arguments: [
        ("status", .status),
        ("drain", order(BH_STATE_DRAINING)),
        ("maintenance", order(BH_STATE_MAINTENANCE)),
        ("resume", order(BH_STATE_UP)),
        ("state", order(nil)),
        ("drain 10.0.0.4:80", order(BH_STATE_DRAINING, "10.0.0.4:80")),
        ("state [2001:db8::4]:8080", order(nil, "[2001:db8::4]:8080")),
        ("drain ", .badServer),
        ("drain  10.0.0.4:80", .badServer),
        ("drain 10.0.0.4", .badServer),
        ("drain 10.0.0.4:", .badServer),
        ("drain 10.0.0.4:0", .badServer),
        ("drain 10.0.0.4:65536", .badServer),
        ("drain 10.0.0.4:99999999999", .badServer),
        ("drain 10.0.0.4:+80", .badServer),
        ("drain 10.0.0.4:80 now", .badServer),
        ("drain 10.0.0.4\0:80", .badServer),
        ("drain 2001:db8::4:80", .badServer),
        ("drain [10.0.0.4]:80", .badServer),
        ("drain []:80", .badServer),
        ("drain web1:80", .badServer),
        ("drained", .unknown),
        (" drain", .unknown),
        ("status 10.0.0.4:80", .unknown),
        ("", .unknown),
    ] as [(String, ControlRequest)])
func linesOfTheControlSocket(line: String, expected: ControlRequest) {
    #expect(parseControlLine(Array(line.utf8)) == expected)
}

@Test func serversAreNamedAsTheTableShowsThem() throws {
    let four = try #require(NamedServer(Array("10.0.0.4:80".utf8)))
    #expect((four.address.text, four.port) == ("10.0.0.4", 80))
    let six = try #require(NamedServer(Array("[2001:db8::4]:65535".utf8)))
    #expect((six.address.text, six.port) == ("2001:db8::4", 65535))
}
