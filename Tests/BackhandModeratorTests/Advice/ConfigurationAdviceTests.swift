// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import Testing

@testable import BackhandModerator

/// Lines that the log got, with their numbers.
private final class Lines {
    var texts: [String] = []

    static let call: bh_log_fn = { baton, _, number, text in
        let lines = Unmanaged<Lines>.fromOpaque(baton!).takeUnretainedValue()
        lines.texts.append("\(number) " + String(cString: text))
    }

    var baton: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }
}

@Suite struct ConfigurationAdviceTests {
    private func said(_ change: (inout bh_advice_t, inout bh_destination_t, inout bh_network_t) -> Void) -> [Int] {
        let lines = Lines()
        var advice = bh_advice_t()
        var destination = bh_destination_t()
        destination.own = bh_address_t(high: 0, low: 0xffff_7f00_0001)
        destination.group = bh_address_t(high: 0, low: 0xffff_efff_0001)
        var network = bh_network_t(base: destination.own, mask: bh_address_t(high: .max, low: .max))
        (advice.has_directory, advice.has_keys, advice.log) = (true, true, Lines.call)
        change(&advice, &destination, &network)
        withUnsafePointer(to: destination) { destination in
            withUnsafePointer(to: network) { network in
                var server = bh_advised_t()
                (server.destinations, server.destination_count) = (destination, destination.pointee.port == 9 ? 0 : 1)
                (server.networks, server.network_count) = (network, destination.pointee.ttl == 9 ? 0 : 1)
                server.server = lines.baton
                withUnsafePointer(to: server) {
                    (advice.servers, advice.server_count) = ($0, 1)
                    adviseOnConfiguration(advice)
                }
            }
        }
        return lines.texts.map { Int($0.prefix(3)) ?? 0 }
    }

    @Test func whatIsWrongIsSaid() {
        "x:1".withCString { place in
            #expect(said { _, _, _ in } == [])
            #expect(said { advice, _, _ in advice.has_directory = false } == [103])
            #expect(said { advice, _, _ in advice.has_keys = false } == [110])
            #expect(said { advice, _, _ in advice.keys_optional = true } == [121])
            #expect(said { advice, _, _ in advice.first_prediction = place } == [120])
            #expect(said { advice, _, _ in advice.first_shared = place } == [482])
            #expect(said { advice, _, _ in advice.first_chain = place } == [])
            #expect(said { _, destination, _ in destination.ttl = 9 } == [102])
            #expect(said { _, destination, _ in destination.port = 9 } == [])
            #expect(said { advice, destination, _ in (advice.first_chain, destination.port) = (place, 9) } == [141])
            #expect(said { _, _, network in network.base.low = 0 } == [143])
            #expect(
                said { _, destination, network in (destination.group.low, network.base.low) = (0xffff_0a00_0001, 0) }
                    == [])
            #expect(said { _, destination, _ in destination.own.low = 0xffff_c633_6401 } == [142, 143])
            #expect(said { _, destination, _ in destination.own = bh_address_t() } == [])
        }
    }
}
