// Licensed under the Apache License, Version 2.0; see LICENSE.

import Testing

@testable import BackhandCandidacy

struct ByCostTests {
    private func order(_ servers: [FakeServer]) throws -> [Int32] {
        try FakeTable(servers).decide(["byCost"]).ids
    }

    /// A server of 1000 MB.
    private func server(load: Int32 = 0, used: Int32 = 0, worker: UInt64 = 0) -> FakeServer {
        FakeServer(load: load, totalMemory: 1000, availableMemory: 1000 - used, workerMemory: worker << 20)
    }

    @Test func emptyAndOne() throws {
        #expect(try order([]) == [])
        #expect(try order([server(load: 5)]) == [0])
    }

    @Test func equalOnesKeepTheirOrder() throws {
        #expect(try order(Array(repeating: server(load: 1000, used: 300, worker: 10), count: 5)) == [0, 1, 2, 3, 4])
    }

    /// Computed from the formula of the paper by hand, n = 6 and L = 4.
    @Test(
        arguments: [
            (0, 0, 2), (4000, 0, 7), (0, 0.5, 1 + 2.449_489_743), (2000, 1, 6 + 2.449_489_743),
        ] as [(Double, Double, Double)])
    func presentCost(load: Double, memory: Double, cost: Double) {
        let scale = CostScale(servers: 6, limit: 4000)
        #expect(abs(scale.present(Usage(load: load, memory: memory, jobMemory: 0)) - cost) < 1e-8)
    }

    @Test(
        arguments: [
            (0, 0, 0), (1000, 0.5, 0.25), (3500, 1, 1), (4000, 0.9, 0.001),
        ] as [(Double, Double, Double)])
    func marginalCostIsTheDifference(load: Double, memory: Double, job: Double) {
        let scale = CostScale(servers: 6, limit: 4000)
        let before = scale.present(Usage(load: load, memory: memory, jobMemory: 0))
        let after = scale.present(Usage(load: load + 1000, memory: memory + job, jobMemory: 0))
        let marginal = scale.marginal(Usage(load: load, memory: memory, jobMemory: job))
        #expect(abs(marginal - (after - before)) < 1e-9)
    }

    @Test func leastLoadIsCheapest() throws {
        #expect(try order([server(load: 3000), server(load: 1000), server(load: 2000)]) == [1, 2, 0])
    }

    @Test func tiesAreDecidedByMemory() throws {
        // Workers' memory is not known: the marginal cost is the load's alone, and memory tells them apart.
        #expect(try order([server(used: 500), server(used: 900), server(used: 100)]) == [2, 0, 1])
    }

    @Test func fullMemoryMakesAJobDear() throws {
        // n = 2, L = 1. Self: 2^0.9(2^0.1-1) + (2^1-1) = 1.134; the other: (2^0.1-1) + 2^0.2(2-1) = 1.221.
        #expect(try order([server(used: 900, worker: 100), server(load: 200, worker: 100)]) == [0, 1])
        // With load 0.1 it is 0.072 + 1.072 = 1.144; with 0.08 it is 1.129.
        #expect(try order([server(used: 900, worker: 100), server(load: 100, worker: 100)]) == [0, 1])
        #expect(try order([server(used: 900, worker: 100), server(load: 80, worker: 100)]) == [1, 0])
    }

    @Test func highWaterMarkWeighsLoadLess() throws {
        // L = 1: 2^0.3 - 1 = 0.231 of memory outweighs what load 0.1 costs. L = 64: memory rules. The values turn at
        // another load.
        var left = server(load: 1000, worker: 300)
        let right = server(used: 500, worker: 300)
        // L = 1: 2^1(2-1) + 0.231 = 2.231 against 1 + 1.414*0.231 = 1.327.
        #expect(try order([left, right]) == [1, 0])
        // L = 64: 2^(1/64)(2^(1/64)-1) + 0.231 = 0.242 against 0.011 + 0.327 = 0.338.
        left.highWaterMark = 64_000
        #expect(try order([left, right]) == [0, 1])
    }

    @Test func limitIsNeverBelowTheLargestLoad() throws {
        // Announced marks are 1, yet loads reach 30: L = 32. n = 2: 2^(4/32)*r + 0.231 = 0.255 against r + 0.327 =
        // 0.349. With L = 1 the first would cost 16 + 0.231.
        let servers = [
            server(load: 4000, worker: 300), server(used: 500, worker: 300),
            server(load: 30_000, used: 1000, worker: 1000),
        ]
        #expect(try order(servers) == [0, 1, 2])
    }

    @Test func smallerMachineIsDearer() throws {
        let small = FakeServer(totalMemory: 100, availableMemory: 100, workerMemory: 50 << 20)
        #expect(try order([small, server(worker: 50)]) == [1, 0])
    }

    @Test func unknownMemoryCountsAsFull() throws {
        let unknown = FakeServer(totalMemory: 0, availableMemory: 500)
        #expect(try order([unknown, server(used: 999)]) == [1, 0])
        #expect(try order([server(used: 1000), unknown]) == [0, 1])
        var hungry = unknown
        hungry.workerMemory = 1
        #expect(try order([hungry, server(used: 999, worker: 500)]) == [1, 0])
    }

    @Test func nonsenseIsClamped() throws {
        let wild: [FakeServer] = [
            FakeServer(load: .max, highWaterMark: .max, totalMemory: .max, availableMemory: .min, workerMemory: .max),
            FakeServer(load: .min, highWaterMark: .min, totalMemory: .min, availableMemory: .max, workerMemory: .max),
            FakeServer(load: -1, totalMemory: 1, availableMemory: .max, workerMemory: 1),
            FakeServer(load: 0, totalMemory: -1, availableMemory: -1),
        ]
        #expect(try order(wild).sorted() == [0, 1, 2, 3])
        // More free than there is counts as none used; a negative load as none.
        let odd = FakeServer(load: -5000, totalMemory: 1000, availableMemory: 2000)
        #expect(try order([odd, server()]) == [0, 1])
        #expect(try order([server(), odd]) == [0, 1])
    }
}
