// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandSimulator

struct SharedServerTests {
    /// Two cores; requests of 1, 1 and 4 s. The first two end after 1.5 s, the third at 4.5 s: it had a core to itself
    /// from then on.
    @Test func `cores are shared`() {
        let server = SharedServer(Machine(cores: 2))
        for (request, demand) in [1.0, 1.0, 4.0].enumerated() { server.arrive(request, demand: demand, at: 10) }
        #expect(abs(server.nextEnd - 11.5) < 1e-9)
        #expect(Set([server.finish(at: 11.5), server.finish(at: 11.5)]) == [0, 1])
        #expect(abs(server.nextEnd - 14.5) < 1e-9)
        // The speed doubles: 2 s of work are left at 12.5.
        server.change(speed: 2, at: 12.5)
        #expect(abs(server.nextEnd - 13.5) < 1e-9)
        #expect(server.finish(at: 13.5) == 2)
        #expect(server.inFlight == 0 && server.nextEnd == .infinity)
        let window = server.closeWindow(at: 15)
        #expect(abs(window.inFlight - (3 * 1.5 + 2)) < 1e-9)
        #expect(abs(window.coreSeconds - (2 * 1.5 + 2)) < 1e-9)
    }

    @Test func `few workers make a queue`() {
        var machine = Machine(cores: 8)
        machine.workers = 2
        let server = SharedServer(machine)
        for request in 0..<4 { server.arrive(request, demand: 1, at: 0) }
        #expect(server.inFlight == 4)
        #expect(server.finish(at: 1) != nil && server.finish(at: 1) != nil)
        #expect(server.nextEnd == 2)
    }

    /// M/M/1 with processor sharing: the mean time is S / (1 - load).
    @Test func `known result`() {
        let scenario = Scenario("one", "", [Machine(cores: 1)]).with { $0.hop = 0 }
        var world = World(scenario, fate: Fate(scenario, seed: 5, seconds: 20_000), seed: 5, warmUp: 100) {
            Oracle($0, seed: 5)
        }
        world.run()
        #expect(abs(world.result.summary().mean / (20 / 0.3) - 1) < 0.03)
    }
}
