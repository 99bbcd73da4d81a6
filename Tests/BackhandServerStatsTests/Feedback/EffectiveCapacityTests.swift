// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandServerStats

struct EffectiveCapacityTests {
    /// All four cores, of 400,000, of a machine.
    private func facts(_ change: (inout bh_facts_t) -> Void) -> bh_facts_t {
        var facts = bh_facts_t()
        facts.arriba = 400_000
        facts.capacity = 1600
        facts.workers = 400
        facts.ncpu = 4
        facts.cpu = 1000
        change(&facts)
        return facts
    }

    @Test func `requests that compute fill the cores`() {
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 3000; $0.cpu_used = 2500
                }) == 1600)
        // More than the cores can do at once: the others wait for a core.
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 20_000; $0.cpu_used = 4000; $0.cpu = 0; $0.workers = 64
                }) == 1600)
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 20_000; $0.cpu_used = 3600; $0.cpu = 100; $0.workers = 64
                }) == 1600)
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 0; $0.cpu_used = 0
                }) == 1600)
    }

    @Test(arguments: [UInt32(20_000), 60_000])
    func `a quota that is full on an idle machine`(flying: UInt32) {
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.ncpu = 16; $0.cpu = 750; $0.workers = 64; $0.mean_in_flight = flying; $0.cpu_used = 4000
                }) == 1600)
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.capacity = 400; $0.ncpu = 16; $0.cpu = 930; $0.workers = 16; $0.mean_in_flight = flying;
                    $0.cpu_used = 1000
                }) == 400)
    }

    @Test func `requests that wait fill the workers`() {
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 3000; $0.workers = 8
                }) == 3200)
        // 2 (0.35 + 0.05) / (3.95 + 0.05) = 0.2: five times the cores.
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 3950; $0.cpu_used = 350
                }) == 8000)
    }

    @Test func `what httpd itself needs for requests that wait`() {
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 12_000; $0.cpu_used = 250; $0.cpu = 800; $0.workers = 31
                }) == 12_400)
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 12_000; $0.cpu_used = 250; $0.cpu = 0; $0.workers = 31
                }) == 9633, "any of them may wait for a core")
        // 2 (0.8 + 0.05) / (11.8 + 0.05): each takes a seventh of a core.
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 12_000; $0.cpu_used = 800; $0.cpu = 800; $0.workers = 64
                }) == 11_126)
    }

    @Test func `few workers are the limit`() {
        #expect(effectiveCapacity(for: facts { $0.workers = 2 }) == 800)
        #expect(effectiveCapacity(for: facts { $0.workers = 0 }) == 1600)
    }

    /// 400 workers on four cores: all of the CPU counts. 64: httpd's own.
    @Test func `requests that compute elsewhere`() {
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 3000; $0.cpu = 200
                }) == 1600)
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 3000; $0.cpu = 200; $0.workers = 64
                }) == 25_600)
        // A queue of them.
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 20_000; $0.cpu = 0; $0.cpu_used = 100
                }) <= 1600)
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 60_000; $0.cpu = 20; $0.cpu_used = 100
                }) <= 1600)
        // A speed that does not divide the capacity.
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.arriba = 664_000; $0.capacity = 1328; $0.ncpu = 2; $0.workers = 32; $0.mean_in_flight = 2000;
                    $0.cpu = 0
                }) == 21_248)
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.arriba = 664_999; $0.capacity = 1328; $0.ncpu = 2; $0.workers = 32; $0.mean_in_flight = 1990;
                    $0.cpu = 0
                }) > 20_000)
    }

    /// Three requests that compute use 2.5 of the four cores; neighbours none, one, and what is left.
    @Test(arguments: [(375, 1600), (125, 1200), (0, 1000)] as [(Int32, UInt32)])
    func `neighbours take capacity`(idle: Int32, expected: UInt32) {
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 3000; $0.cpu_used = 2500; $0.cpu = idle; $0.workers = 64
                }) == expected)
    }

    @Test func `what neighbours leave at least`() {
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 500; $0.cpu_used = 500; $0.cpu = 0; $0.workers = 64
                }) == 200)
        // Without requests nobody knows what neighbours will mean to them.
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 0; $0.cpu_used = 0; $0.cpu = 0; $0.workers = 64
                }) == 1600)
        // Not known how many CPUs there are.
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 500; $0.cpu_used = 500; $0.cpu = 0; $0.ncpu = 0
                }) == 1600)
    }

    @Test func `neighbours in other containers`() {
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.mean_in_flight = 3000; $0.cpu = 200; $0.ncpu = 8
                }) == 48_800)
    }

    @Test(
        arguments: [
            (0, 1600, 0), (400_000, 0, 0), (-1, 1600, 0), (.max, .max, 858_993_458), (1, .max, 1),
        ] as [(Int32, UInt32, UInt32)])
    func `numbers from strangers`(arriba: Int32, capacity: UInt32, expected: UInt32) {
        #expect(
            effectiveCapacity(
                for: facts {
                    $0.arriba = arriba; $0.capacity = capacity; $0.mean_in_flight = .max; $0.cpu = .min; $0.ncpu = .max
                }) == expected)
    }
}
