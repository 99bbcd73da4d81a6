// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator
@testable import BackhandSystem

private func ip(_ text: String) -> UInt32 {
    parseAddress(text)?.ipv4 ?? 0
}

private let interfaces = [
    NetworkInterface(address: ip("127.0.0.1"), mask: ip("255.0.0.0"), broadcast: ip("127.255.255.255")),
    NetworkInterface(address: ip("10.1.2.3"), mask: ip("255.255.254.0"), broadcast: ip("10.1.3.255")),
    NetworkInterface(address: ip("192.0.2.7"), mask: ip("255.255.255.255"), broadcast: ip("192.0.2.7")),
]

@Test(arguments: [
    ("239.255.1.1", .multicast),
    ("224.0.0.1", .multicast),
    ("255.255.255.255", .broadcast),
    ("127.255.255.255", .broadcast),
    ("10.1.3.255", .broadcast),
    ("10.1.2.255", .unicast),  // a host of 10.1.2.0/23
    ("127.0.0.255", .unicast),
    ("172.16.0.255", .broadcast),  // a network that we are not in
    ("172.16.0.4", .unicast),
    ("192.0.2.7", .unicast),  // an interface with a network of its own only
    ("10.1.2.9", .unicast),
] as [(String, Reach)])
func reachOfADestination(text: String, expected: Reach) {
    #expect(Reach(ip(text), interfaces: interfaces) == expected)
}

/// The plan for lines of MulticastStats; our address towards anything is 10.1.2.3.
private func plan(_ lines: [(own: String?, destination: String)], port: UInt16 = 80) throws -> NetworkPlan {
    let destinations = try lines.map { line in
        guard let own = line.own else { return try parseDestination(own: nil, line.destination) }
        return try own.withCString { try parseDestination(own: $0, line.destination) }
    }
    return try destinations.withUnsafeBufferPointer { list in
        try NetworkPlan(list, port: port, interfaces: interfaces) { _ in ip("10.1.2.3") }
    }
}

@Test func aLineWithoutOwnAddressFindsIt() throws {
    let plan = try plan([(nil, "239.255.1.1:4445,3")])
    #expect(plan.routes == [
        Route(own: bh_address_t(ipv4: ip("10.1.2.3")), ownPort: 80, local: ip("10.1.2.3"),
              destination: ip("239.255.1.1"), port: 4445, ttl: 3, reach: .multicast)
    ])
    #expect(plan.listeners == [
        Listener(address: ip("239.255.1.1"), port: 4445, shared: true, interfaces: [ip("10.1.2.3")]),
        Listener(address: ip("10.1.2.3"), port: 4445, shared: false, spare: true, interfaces: []),
    ])
}

@Test func aGivenAddressAndPortAreTaken() throws {
    let route = try #require(try plan([("127.0.0.2:8080", "239.255.1.1:4445")]).routes.first)
    #expect(route.own.ipv4 == ip("127.0.0.2"))
    #expect(route.ownPort == 8080)
    #expect(route.local == ip("127.0.0.2"))
    #expect(try plan([("127.0.0.2", "239.255.1.1:4445")], port: 81).routes.first?.ownPort == 81)
}

@Test func severalUnicastPeersShareOneSocket() throws {
    let plan = try plan([(nil, "10.1.2.8:4445"), (nil, "10.1.2.9:4445"), (nil, "10.1.2.9:4446")])
    #expect(plan.routes.map(\.reach) == [.unicast, .unicast, .unicast])
    #expect(plan.listeners == [
        Listener(address: ip("10.1.2.3"), port: 4445, shared: false, interfaces: []),
        Listener(address: ip("10.1.2.3"), port: 4446, shared: false, interfaces: []),
    ])
}

@Test func oneGroupOnTwoNetworksIsOneSocketWithTwoMemberships() throws {
    let plan = try plan([
        ("10.1.2.3", "239.255.1.1:4445"), ("127.0.0.1", "239.255.1.1:4445"), ("127.0.0.1", "239.255.1.1:4445"),
    ])
    #expect(plan.routes.count == 3)
    #expect(plan.listeners == [
        Listener(address: ip("239.255.1.1"), port: 4445, shared: true, interfaces: [ip("10.1.2.3"), ip("127.0.0.1")]),
        Listener(address: ip("10.1.2.3"), port: 4445, shared: false, spare: true, interfaces: []),
        Listener(address: ip("127.0.0.1"), port: 4445, shared: false, spare: true, interfaces: []),
    ])
}

@Test func broadcastIsHeardAtTheBroadcastAddress() throws {
    let plan = try plan([(nil, "10.1.3.255:4445")])
    #expect(plan.routes.first?.reach == .broadcast)
    #expect(plan.listeners == [
        Listener(address: ip("10.1.3.255"), port: 4445, shared: true, interfaces: []),
        Listener(address: ip("10.1.2.3"), port: 4445, shared: false, spare: true, interfaces: []),
    ])
}

/// A socket that only helps is not spare any more when a line needs it.
@Test func aUnicastLineNeedsItsPort() throws {
    let both = try plan([(nil, "239.255.1.1:4445"), (nil, "10.1.2.8:4445")])
    #expect(both.listeners.map(\.spare) == [false, false])
    #expect(both.listeners.map(\.address) == [ip("239.255.1.1"), ip("10.1.2.3")])
}

@Test func noLinesNeedNoSockets() throws {
    let plan = try plan([])
    #expect(plan.routes.isEmpty && plan.listeners.isEmpty)
}

@Test func whatIsMissingIsNamed() throws {
    do {
        _ = try plan([(nil, "239.255.1.1:4445")], port: 0)
        Issue.record("a plan without a port")
    } catch let error as ModeratorError {
        #expect(error.status == BH_EINVAL)
        #expect(error.text.contains("239.255.1.1"))
    }
    var destination = bh_destination_t()
    destination.group = bh_address_t(ipv4: ip("239.255.1.1"))
    destination.port = 4445
    do {
        _ = try withUnsafePointer(to: destination) { pointer in
            try NetworkPlan(UnsafeBufferPointer(start: pointer, count: 1), port: 80, interfaces: []) {
                _ throws(SystemError) in throw .missing
            }
        }
        Issue.record("a plan without an address")
    } catch let error as ModeratorError {
        #expect(error.status == BH_ESYSTEM)
        #expect(error.text == "cannot find our own address for MulticastStats 239.255.1.1; give it there: No such file or directory")
    }
}

@Test func sitesAreKnownByTheirFirstLines() throws {
    var lines = try [("10.1.2.3:80", 0), ("10.1.2.4:80", 0), ("10.1.4.1:80", 2), ("10.1.4.2:81", 2), ("10.1.2.3:80", 3)].map {
        var line = try $0.0.withCString { try parseDestination(own: $0, "239.255.1.1:4445") }
        line.site = UInt16($0.1)
        return line
    }
    func sites() throws -> [Site] {
        try lines.withUnsafeBufferPointer { list in
            try NetworkPlan(list, port: 8080, interfaces: interfaces) { _ in ip("10.1.2.3") }.sites
        }
    }
    let all = try sites()
    #expect(all.map(\.number) == [0, 2, 3])
    #expect(all.map { $0.own.text } == ["10.1.2.3", "10.1.4.1", "10.1.2.3"] && all.map(\.ownPort) == [80, 80, 80])
    #expect(all[2].isSame(as: all[0]) && !all[1].isSame(as: all[0]))
    lines.removeFirst(2)
    #expect(try sites().map(\.number) == [0, 2, 3], "the main server is one even if it is announced nowhere")
    #expect(try sites()[0].own.text == "127.0.0.1" && sites()[0].ownPort == 8080)
}

@Test func bootIDsOfSitesDiffer() {
    let sites = [("10.0.0.1", 80), ("10.0.0.1", 81), ("10.0.0.2", 80), ("2001:db8::1", 80), ("2001:db9::1", 80)].map {
        Site(number: 1, own: parseAddress($0.0)!, ownPort: $0.1)
    }
    for boot in [1, 2, .max] as [UInt64] {
        let ids = sites.map { $0.bootID(from: boot) }
        #expect(Set(ids + [boot, 0]).count == sites.count + 2)
        #expect(ids == sites.map { $0.bootID(from: boot) }, "the same at every restart")
    }
    #expect(sites[0].bootID(from: 1) != sites[0].bootID(from: 2))
}
