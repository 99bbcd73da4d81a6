// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import Testing

@testable import BackhandModerator
@testable import BackhandSystem

private func ip(_ text: String) -> UInt32 {
    parseAddress(text)?.ipv4 ?? 0
}

private let interfaces = [
    NetworkInterface(address: ip("127.0.0.1"), mask: ip("255.0.0.0"), broadcast: ip("127.255.255.255"), index: 1),
    NetworkInterface(address: ip("10.1.2.3"), mask: ip("255.255.254.0"), broadcast: ip("10.1.3.255"), index: 2),
    NetworkInterface(address: ip("192.0.2.7"), mask: ip("255.255.255.255"), broadcast: ip("192.0.2.7"), index: 3),
]

@Test(
    arguments: [
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

/// A network where our address towards anything is this one; nil: there is no route. All addresses are ours except
/// some.
private func network(
    towards: String? = "10.1.2.3", without: [String] = [], interfaces list: [NetworkInterface] = interfaces,
    removals: AddressRemovals = AddressRemovals()
) -> LocalNetwork {
    LocalNetwork(
        interfaces: list, removals: removals,
        find: { _ throws(SystemError) in
            guard let towards else { throw SystemError.missing }
            return ip(towards)
        },
        whyNotLocal: { address in without.contains { ip($0) == address } ? .addressNotHere : nil })
}

/// Lines of MulticastStats, all of the main server unless they say another one.
private func lines(_ texts: [(own: String?, destination: String)], vhosts: [UInt16] = []) throws -> [bh_destination_t] {
    try texts.enumerated().map { index, line in
        var parsed =
            try line.own.map { try $0.withCString { try parseDestination(own: $0, line.destination) } }
            ?? parseDestination(own: nil, line.destination)
        if vhosts.indices.contains(index) { parsed.vhost = vhosts[index] }
        return parsed
    }
}

private func plan(
    _ texts: [(own: String?, destination: String)], port: UInt16 = 80, vhosts: [UInt16] = [],
    in here: LocalNetwork = network(),
    known: [VirtualHost] = []
) throws -> NetworkPlan {
    try lines(texts, vhosts: vhosts).withUnsafeBufferPointer {
        NetworkPlan($0, port: port, network: here, known: known)
    }
}

@Test func aLineWithoutOwnAddressFindsIt() throws {
    let plan = try plan([(nil, "239.255.1.1:4445,3")])
    #expect(
        plan.routes == [
            Route(
                own: bh_address_t(ipv4: ip("10.1.2.3")), ownPort: 80, local: ip("10.1.2.3"),
                destination: ip("239.255.1.1"), port: 4445, ttl: 3, reach: .multicast,
                interface: Membership(address: ip("10.1.2.3"), index: 2))
        ])
    #expect(
        plan.listeners == [
            ListeningAddress(
                address: ip("239.255.1.1"), port: 4445, shared: true,
                interfaces: [Membership(address: ip("10.1.2.3"), index: 2)]),
            ListeningAddress(address: ip("10.1.2.3"), port: 4445, shared: false, spare: true, interfaces: []),
        ])
}

@Test func aGivenAddressAndPortAreTaken() throws {
    let route = try #require(try plan([("127.0.0.2:8080", "239.255.1.1:4445")]).routes.first)
    #expect(route.own.ipv4 == ip("127.0.0.2"))
    #expect(route.ownPort == 8080)
    #expect(route.local == ip("127.0.0.2"))
    #expect(try plan([("127.0.0.2", "239.255.1.1:4445")], port: 81).routes.first?.ownPort == 81)
}

/// Only an interface with exactly our address is named by its number; another one may have the same network.
@Test func anAddressThatNoInterfaceListsIsLeftToTheKernel() throws {
    let memberships = try [("127.0.0.2", 0), ("10.1.2.77", 0), ("10.1.2.3", 2), ("127.0.0.1", 1)].map { own, index in
        (try plan([(own, "239.255.1.1:4445")]).routes[0].interface, Membership(address: ip(own), index: UInt32(index)))
    }
    for (made, expected) in memberships { #expect(made == expected) }
}

@Test func severalUnicastPeersShareOneSocket() throws {
    let plan = try plan([(nil, "10.1.2.8:4445"), (nil, "10.1.2.9:4445"), (nil, "10.1.2.9:4446")])
    #expect(plan.routes.map(\.reach) == [.unicast, .unicast, .unicast])
    #expect(
        plan.listeners == [
            ListeningAddress(address: ip("10.1.2.3"), port: 4445, shared: false, interfaces: []),
            ListeningAddress(address: ip("10.1.2.3"), port: 4446, shared: false, interfaces: []),
        ])
}

@Test func oneGroupOnTwoNetworksIsOneSocketWithTwoMemberships() throws {
    let plan = try plan([
        ("10.1.2.3", "239.255.1.1:4445"), ("127.0.0.1", "239.255.1.1:4445"), ("127.0.0.1", "239.255.1.1:4445"),
    ])
    #expect(plan.routes.count == 3)
    #expect(
        plan.listeners == [
            ListeningAddress(
                address: ip("239.255.1.1"), port: 4445, shared: true,
                interfaces: [
                    Membership(address: ip("10.1.2.3"), index: 2), Membership(address: ip("127.0.0.1"), index: 1),
                ]),
            ListeningAddress(address: ip("10.1.2.3"), port: 4445, shared: false, spare: true, interfaces: []),
            ListeningAddress(address: ip("127.0.0.1"), port: 4445, shared: false, spare: true, interfaces: []),
        ])
}

@Test func broadcastIsHeardAtTheBroadcastAddress() throws {
    let plan = try plan([(nil, "10.1.3.255:4445")])
    #expect(plan.routes.first?.reach == .broadcast)
    #expect(
        plan.listeners == [
            ListeningAddress(address: ip("10.1.3.255"), port: 4445, shared: true, interfaces: []),
            ListeningAddress(address: ip("10.1.2.3"), port: 4445, shared: false, spare: true, interfaces: []),
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

@Test func whatOnlyTheConfigurationCanChangeIsNamed() throws {
    let good = try lines([(nil, "239.255.1.1:4445")])
    try good.withUnsafeBufferPointer { try NetworkPlan.check($0, port: 80) }
    let error = #expect(throws: ModeratorError.self) {
        try good.withUnsafeBufferPointer { try NetworkPlan.check($0, port: 0) }
    }
    #expect(error?.status == BH_EINVAL && error?.text.contains("239.255.1.1") == true)
}

// ---- Lines that cannot work now ----

/// One line that waits does not keep the others from working.
@Test(
    arguments: [
        // lines, addresses that are missing, route; lines that work, and what is in the way of the others
        ([(nil, "239.255.1.1:4445")], [], nil, [], [.noRoute(.missing)]),
        ([(nil, "10.1.2.8:4445")], [], nil, [], [.noRoute(.missing)]),
        ([(nil, "10.1.3.255:4445")], [], nil, [], [.noRoute(.missing)]),
        ([("10.1.2.3", "239.255.1.1:4445")], ["10.1.2.3"], "10.9.9.9", [], [.notHere(ip("10.1.2.3"), .addressNotHere)]),
        ([("10.1.2.3", "239.255.1.1:4445")], [], nil, [0], []),
        (
            [("10.1.2.3", "239.255.1.1:4445"), ("10.5.5.5", "10.5.5.255:4445"), (nil, "10.6.6.6:4445")], ["10.5.5.5"],
            nil,
            [0], [.notHere(ip("10.5.5.5"), .addressNotHere), .noRoute(.missing)]
        ),
    ] as [([(String?, String)], [String], String?, [Int], [Obstacle])])
func linesThatWaitDoNotStopTheOthers(
    texts: [(String?, String)], missing: [String], route: String?, working: [Int], obstacles: [Obstacle]
) throws {
    let made = try plan(texts.map { (own: $0.0, destination: $0.1) }, in: network(towards: route, without: missing))
    #expect(made.routes.map(\.line) == working)
    #expect(made.waiting.map(\.obstacle) == obstacles)
    #expect(
        Set(made.waiting.map(\.line)).isDisjoint(with: working) && made.waiting.count + working.count == texts.count)
    // Nothing is opened for lines that wait.
    #expect(made.listeners.isEmpty == working.isEmpty)
}

/// A found address is that of the moment; a reach too: a broadcast address is one only once its network is there.
@Test func thePlanFollowsTheNetwork() throws {
    let line: [(own: String?, destination: String)] = [(nil, "10.2.0.127:4445")]
    let before = try plan(line, in: network(towards: "10.1.2.3"))
    #expect(before.routes.map(\.reach) == [.unicast] && before.vhosts[0].own.text == "10.1.2.3")
    let arrived =
        interfaces + [
            NetworkInterface(
                address: ip("10.2.0.9"), mask: ip("255.255.255.128"), broadcast: ip("10.2.0.127"), index: 7)
        ]
    let after = try plan(line, in: network(towards: "10.2.0.9", interfaces: arrived), known: before.vhosts)
    #expect(after.routes.map(\.reach) == [.broadcast] && after.routes[0].own.text == "10.2.0.9")
    #expect(after.vhosts[0].own.text == "10.2.0.9", "what is true now is worth more than what was known")
}

@Test func aServerKeepsItsAddressWhileItsNetworkIsAway() throws {
    let line: [(own: String?, destination: String)] = [(nil, "239.255.1.1:4445")]
    let away = network(towards: nil)
    #expect(try plan(line, in: away).vhosts.map(\.own.text) == ["127.0.0.1"])
    let known = try plan(line).vhosts
    #expect(try plan(line, in: away, known: known).vhosts == known)
    // A virtual host has none until it is found, then keeps it.
    #expect(try plan(line, vhosts: [4], in: away).vhosts.map(\.number) == [0])
    let host = try plan(line, vhosts: [4]).vhosts
    #expect(host.map(\.number) == [0, 4])
    #expect(try plan(line, vhosts: [4], in: away, known: host).vhosts.map(\.own.text) == ["127.0.0.1", "10.1.2.3"])
    // What is given is known without any network.
    #expect(
        try plan([("10.7.7.7:81", "239.255.1.1:4445")], in: network(towards: nil, without: ["10.7.7.7"])).vhosts[0]
            == VirtualHost(number: 0, own: bh_address_t(ipv4: ip("10.7.7.7")), ownPort: 81))
}

@Test func aSiteIsKnownByItsFirstLineThatWorks() throws {
    let two: [(own: String?, destination: String)] = [(nil, "239.255.1.1:4445"), ("10.1.2.3:81", "239.255.1.2:4445")]
    #expect(try plan(two, in: network(towards: nil)).vhosts[0].ownPort == 81)
    #expect(try plan(two, in: network(towards: "192.0.2.7")).vhosts[0].own.text == "192.0.2.7")
}

// ---- From the open sockets to those of a plan ----

private let group = ListeningAddress(
    address: ip("239.255.1.1"), port: 4445, shared: true, interfaces: [Membership(address: 1, index: 5)])
private let alone = ListeningAddress(address: ip("10.1.2.3"), port: 4445, shared: false, spare: true, interfaces: [])

private func wanting(_ listeners: ListeningAddress..., routes: [Route] = []) -> NetworkPlan {
    var plan = NetworkPlan()
    plan.listeners = listeners
    plan.routes = routes
    return plan
}

private func joined(_ interfaces: Membership...) -> ListeningAddress {
    ListeningAddress(address: group.address, port: group.port, shared: true, interfaces: interfaces)
}

/// The same interface, another one under the same address, one that came back, one beside another, none.
@Test(
    arguments: [
        (joined(Membership(address: 1, index: 5)), [], []),
        (
            joined(Membership(address: 1, index: 6)), [Membership(address: 1, index: 5)],
            [Membership(address: 1, index: 6)]
        ),
        (
            joined(Membership(address: 1, index: 5, removals: 1)), [Membership(address: 1, index: 5)],
            [Membership(address: 1, index: 5, removals: 1)]
        ),
        (
            joined(Membership(address: 2, index: 5)), [Membership(address: 1, index: 5)],
            [Membership(address: 2, index: 5)]
        ),
        (
            joined(Membership(address: 1, index: 5), Membership(address: 2, index: 6)), [],
            [Membership(address: 2, index: 6)]
        ),
        (joined(), [Membership(address: 1, index: 5)], []),
    ] as [(ListeningAddress, [Membership], [Membership])])
func groupsAreJoinedAgainOnTheSameSocket(wanted: ListeningAddress, leave: [Membership], join: [Membership]) {
    let change = NetworkChange(listeners: [alone, group], senders: [], plan: wanting(wanted, alone))
    #expect(change.leave == leave.map { NetworkChange.Member(listener: 1, interface: $0) })
    #expect(change.join == join.map { NetworkChange.Member(listener: 1, interface: $0) })
    #expect(change.openListeners.isEmpty && change.closeListeners.isEmpty)
    #expect(change.concernsListeners == !(leave.isEmpty && join.isEmpty))
}

@Test func anotherAddressIsAnotherSocket() {
    var moved = alone
    moved.address = ip("10.1.2.4")
    let change = NetworkChange(listeners: [group, alone], senders: [], plan: wanting(group, moved))
    #expect(change.closeListeners == [1] && change.openListeners == [moved])
    #expect(change.leave.isEmpty && change.join.isEmpty && change.concernsListeners)
    // To become needed is no reason to open it again.
    var needed = alone
    needed.spare = false
    #expect(!NetworkChange(listeners: [group, alone], senders: [], plan: wanting(group, needed)).concernsListeners)
}

@Test func sendersFollowTheirRoutes() throws {
    let old = try plan([(nil, "239.255.1.1:4445"), (nil, "10.1.2.8:4445")])
    func change(_ new: NetworkPlan) -> NetworkChange {
        NetworkChange(listeners: old.listeners, senders: old.routes, plan: new)
    }
    #expect(change(old).closeSenders == [] && change(old).openSenders == [] && !change(old).concernsListeners)
    // The interface of the multicast line has another number now; unicast does not care.
    let moved = interfaces.map {
        NetworkInterface(address: $0.address, mask: $0.mask, broadcast: $0.broadcast, index: $0.index + 10)
    }
    let made = change(try plan([(nil, "239.255.1.1:4445"), (nil, "10.1.2.8:4445")], in: network(interfaces: moved)))
    #expect(made.closeSenders == [0] && made.openSenders.map(\.line) == [0])
    // The network is away: all are closed, and come back.
    let away = try plan([(nil, "239.255.1.1:4445"), (nil, "10.1.2.8:4445")], in: network(towards: nil))
    #expect(change(away).closeSenders == [0, 1] && change(away).closeListeners == [0, 1])
    #expect(NetworkChange(listeners: [], senders: [], plan: old).openSenders == old.routes)
    #expect(NetworkChange(listeners: [], senders: [], plan: old).openListeners == old.listeners)
}

@Test func removalsAreCountedByAddress() {
    var removals = AddressRemovals()
    removals.note(NetworkNews.Change(gone: [1, 2, 1]))
    #expect(removals.count(of: 1) == 2 && removals.count(of: 2) == 1 && removals.count(of: 3) == 0)
    // When it is not known which were taken, every address may have been.
    removals.note(NetworkNews.Change(incomplete: true))
    #expect([1, 2, 3].allSatisfy { removals.count(of: $0) == 3 })
    removals.note(NetworkNews.Change(gone: [3]))
    #expect(removals.count(of: 3) == 4 && removals.count(of: 1) == 3)
    // However many there are, little is kept, and none looks as if nothing had happened.
    let before = removals.count(of: 1)
    removals.note(NetworkNews.Change(gone: Array(10..<1000)))
    #expect(removals.count(of: 1) > before)
}

@Test func sitesAreKnownByTheirFirstLines() throws {
    var all: [(own: String?, destination: String)] = [
        "10.1.2.3:80", "10.1.2.4:80", "10.1.4.1:80", "10.1.4.2:81", "10.1.2.3:80",
    ].map {
        ($0, "239.255.1.1:4445")
    }
    var numbers: [UInt16] = [0, 0, 2, 2, 3]
    let vhosts = try plan(all, port: 8080, vhosts: numbers).vhosts
    #expect(vhosts.map(\.number) == [0, 2, 3])
    #expect(
        vhosts.map { $0.own.text } == ["10.1.2.3", "10.1.4.1", "10.1.2.3"] && vhosts.map(\.ownPort) == [80, 80, 80])
    #expect(vhosts[2].isSame(as: vhosts[0]) && !vhosts[1].isSame(as: vhosts[0]))
    all.removeFirst(2)
    numbers.removeFirst(2)
    let without = try plan(all, port: 8080, vhosts: numbers).vhosts
    #expect(without.map(\.number) == [0, 2, 3], "the main server is one even if it is announced nowhere")
    #expect(without[0].own.text == "127.0.0.1" && without[0].ownPort == 8080)
}

@Test func bootIDsOfSitesDiffer() {
    let vhosts = [("10.0.0.1", 80), ("10.0.0.1", 81), ("10.0.0.2", 80), ("2001:db8::1", 80), ("2001:db9::1", 80)].map {
        VirtualHost(number: 1, own: parseAddress($0.0)!, ownPort: $0.1)
    }
    for boot in [1, 2, .max] as [UInt64] {
        let ids = vhosts.map { $0.bootID(from: boot) }
        #expect(Set(ids + [boot, 0]).count == vhosts.count + 2)
        #expect(ids == vhosts.map { $0.bootID(from: boot) }, "the same at every restart")
    }
    #expect(vhosts[0].bootID(from: 1) != vhosts[0].bootID(from: 2))
}
