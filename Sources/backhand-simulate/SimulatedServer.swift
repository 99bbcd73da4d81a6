// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats

/// One server that does not exist: a machine with a size of its own whose work wanders up and down.
struct SimulatedServer {
    private(set) var facts = bh_facts_t()
    private var random: SplitMix64
    /// Work in shares of what the machine can do: 0 is idle, 1 is full, more is queueing.
    private var work: Double
    private let usedAtRest: Double

    init(number: UInt32, address: UInt32, port: UInt16, seed: UInt64, startedAt: Int64) {
        random = SplitMix64(state: seed &* 0x1_0000_0001 &+ UInt64(number))
        let cores = [1, 2, 4, 4, 8, 8, 16, 32].randomElement(using: &random) ?? 4
        facts.ncpu = Int32(cores)
        facts.arriba = Int32.random(in: 200_000...600_000, using: &random)
        facts.total_memory = UInt64(cores) * (UInt64.random(in: 1...4, using: &random) << 30)
        facts.worker_memory = UInt64.random(in: 4...40, using: &random) << 20
        facts.workers = Int32(cores) * 25
        facts.address = bh_address_t(ipv4: address)
        facts.port = port
        facts.load_hwm = 1000
        work = Double.random(in: 0.05...0.8, using: &random)
        usedAtRest = Double.random(in: 0.1...0.3, using: &random)
        // Another run is another start of the server: else its announcements would be repetitions of the last run's.
        var start = SplitMix64(state: UInt64(bitPattern: startedAt) &+ UInt64(address) << 32)
        facts.boot_id = start.next()
        let name = Array("sim-\(number)".utf8)
        withUnsafeMutableBytes(of: &facts.hostname) { $0.copyBytes(from: name) }
    }

    /// Another interval passes.
    mutating func live() {
        work = min(max(work + Double.random(in: -0.05...0.05, using: &random), 0), 1.5)
        let share = min(work, 1)
        facts.sequence += 1
        facts.load = Int32(work * Double(facts.ncpu) * 1000)
        facts.cpu = Int32((1 - share) * 1000)
        facts.idle_workers = facts.workers - Int32(Double(facts.workers) * share)
        facts.free_memory = UInt64(Double(facts.total_memory) * (1 - usedAtRest) * (1 - 0.6 * share))
        facts.arrivals += UInt64(share * Double(facts.ncpu) * 50)
        while facts.load_hwm < facts.load { facts.load_hwm *= 2 }
    }
}
