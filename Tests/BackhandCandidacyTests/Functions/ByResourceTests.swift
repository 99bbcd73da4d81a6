// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandText
import CBackhand
import Testing

@testable import BackhandCandidacy

@Suite struct ByResourceTests {
    /// Three servers with 256, 512 and 1024 megabytes available of 2048, idle for 10, 20 and 90 %, with loads of 0.5, 2
    /// and 0.
    private let table = FakeTable([
        FakeServer(
            load: 500, highWaterMark: 4000, cpu: 100, totalMemory: 2048, availableMemory: 256, workers: 10,
            idleWorkers: 1),
        FakeServer(
            load: 2000, highWaterMark: 4000, cpu: 200, totalMemory: 2048, availableMemory: 512, workers: 10,
            idleWorkers: 5),
        FakeServer(
            load: 0, highWaterMark: 4000, cpu: 900, totalMemory: 2048, availableMemory: 1024, workers: 10,
            idleWorkers: 10),
    ])

    @Test(
        arguments: [
            // The example of the page.
            ("amem >= 512 && cpu > 200", [2]), ("amem > 512 || cpu == 100", [0, 2]), ("amem>256&&cpu<900", [1]),
            // Each comparison.
            ("amem < 512", [0]), ("amem <= 512", [0, 1]), ("amem > 512", [2]), ("amem >= 512", [1, 2]),
            ("amem == 512", [1]), ("amem != 512", [0, 2]),
            // Arithmetic, from left to right, products first.
            ("amem * 4 < tmem", [0]), ("amem / tmem >= 0.25", [1, 2]), ("nservers - aservers > 4", [0, 1]),
            ("aservers + 5 == nservers", [1]),
            ("10 - 5 - 5 == 0", [0, 1, 2]), ("2 + 2 * 2 == 6", [0, 1, 2]), ("(2 + 2) * 2 == 8", [0, 1, 2]),
            ("16 / 4 / 2 == 2", [0, 1, 2]),
            ("-amem < -512", [2]), ("2 - -2 == 4", [0, 1, 2]), ("--1 == 1", [0, 1, 2]), ("0.125 * 8 == 1", [0, 1, 2]),
            // && before ||, ! before both.
            ("1 == 1 || 1 == 1 && 1 == 2", [0, 1, 2]), ("(1 == 1 || 1 == 1) && 1 == 2", []), ("!(amem > 512)", [0, 1]),
            ("!!(amem > 512)", [2]),
            ("!(amem > 512) && cpu > 100", [1]), ("!(1 == 2) || 1 == 1 && 1 == 2", [0, 1, 2]),
            // Units of the status JSON where it has the name.
            ("load < 2", [0, 2]), ("load <= 2", [0, 1, 2]), ("load_hwm == 4", [0, 1, 2]), ("cpu_idle > 0.15", [1, 2]),
            ("id > 0", [1, 2]),
            // What cannot be divided.
            ("1 / 0 > 999999999999999", [0, 1, 2]), ("0 / 0 == 0 / 0", []), ("0 / 0 != 1", [0, 1, 2]),
            ("!(0 / 0 < 1)", [0, 1, 2]), ("amem / (cpu - 200) > 0", [2, 1].sorted()),
            (" \t( amem ) > ( 512 ) ", [2]),
        ] as [(String, [Int32])])
    func vectors(condition: String, left: [Int32]) throws {
        #expect(try table.decide(["byResource \(condition)"]).ids == left)
    }

    /// Text, what is wrong, and where.
    @Test(
        arguments: [
            ("", "a number, a name or '(' is missing", 1),
            ("amem", "a number alone is not a condition", 1),
            ("amem > 512 && cpu", "&& and || stand between conditions", 12),
            ("amem >> 512", "a number, a name or '(' is missing", 7),
            ("amem > ", "a number, a name or '(' is missing", 8),
            ("amem = 5", "an operator is missing: || && < <= > >= == != + - * /", 6),
            ("amem > 5 & cpu > 5", "an operator is missing: || && < <= > >= == != + - * /", 10),
            ("amem > 5 cpu", "an operator is missing: || && < <= > >= == != + - * /", 10),
            ("amem > 512)", "an operator is missing: || && < <= > >= == != + - * /", 11),
            ("amem > 1.2.3", "an operator is missing: || && < <= > >= == != + - * /", 11),
            ("(amem > 512", "a ')' is missing", 12),
            ("1 < amem < 512", "this operator stands between numbers", 10),
            ("(1 < 2) == (2 < 3)", "this operator stands between numbers", 9),
            ("(1 < 2) + 1 > 1", "this operator stands between numbers", 9),
            ("!amem > 5", "! stands before a condition in parentheses", 1),
            ("cpu > 5 && -(1 < 2)", "- stands before a number", 12),
            ("1. > 0", "a number has 1 to 15 digits, and a point between them", 1),
            ("amem > 1234567890123456", "a number has 1 to 15 digits, and a point between them", 8),
            ("amen > 5", "there is no value 'amen' (did you mean amem?)", 1),
            ("5 < memory_availible", "there is no value 'memory_availible' (did you mean memory_available?)", 5),
            ("temperature > 5", "there is no value 'temperature'", 1),
            ("AMEM > 5", "there is no value 'AMEM' (did you mean amem?)", 1),
            ("amem > 'x'", "a number, a name or '(' is missing", 8),
            ("stat > 5", "stat takes the name of a statistic in parentheses", 5),
            ("stat() > 5", "stat takes the name of a statistic in parentheses", 5),
            ("5 > stat(threads", "stat takes the name of a statistic in parentheses", 9),
        ] as [(String, String, Int)])
    func errors(condition: String, what: String, at: Int) throws {
        let text = message(condition)
        #expect(text == "byResource: \(what), at character \(at) of '\(condition)'")
    }

    @Test func needsACondition() {
        #expect(message(nil) == "byResource needs an argument: a condition, such as \"amem > 512\"")
    }

    /// Ten comparisons fit, eleven do not; the stack of calls is bounded, too.
    @Test func length() throws {
        let condition = { (count: Int) in Array(repeating: "1 < 2", count: count).joined(separator: " && ") }
        #expect(try table.decide(["byResource \(condition(10))"]).ids == [0, 1, 2])
        #expect(message(condition(11)).hasPrefix("byResource: the condition is too long, at character 9"))
        let nested = { (count: Int) in
            String(repeating: "(", count: count) + "1" + String(repeating: ")", count: count) + " < 2"
        }
        #expect(try table.decide(["byResource \(nested(31))"]).ids == [0, 1, 2])
        #expect(message(nested(32)).hasPrefix("byResource: the condition is too long"))
        #expect(message(String(repeating: "!", count: 100_000)).hasPrefix("byResource: the condition is too long"))
        // Sixteen values may wait.
        let waiting = { (count: Int) in
            String(repeating: "1+(", count: count) + "1" + String(repeating: ")", count: count) + " > 1"
        }
        #expect(try table.decide(["byResource \(waiting(14))"]).ids == [0, 1, 2])
    }

    /// Each name has a value of its own, and the right one.
    @Test func everyName() throws {
        let table = FakeTable([
            FakeServer(heard: 0),
            FakeServer(
                load: 1000, highWaterMark: 2000, cpu: 3, totalMemory: 5, availableMemory: 6, workers: 7, idleWorkers: 8,
                heard: FakeTable.now - 25,
                backoff: FakeTable.now - 1),
        ])
        let row = bh_segment_row_mutable(table.segment, 1)
        row.pointee.facts.arriba = 9
        row.pointee.facts.ncpu = 10
        row.pointee.facts.total_memory = 11
        row.pointee.facts.free_memory = 12
        row.pointee.facts.worker_memory = 13
        row.pointee.facts.workers = 14
        row.pointee.facts.idle_workers = 15
        row.pointee.facts.arrivals = 16
        row.pointee.facts.dispatched = 17
        row.pointee.facts.mean_in_flight = 18_000
        row.pointee.facts.arrival_rate = 19_000
        row.pointee.facts.first_byte_us = 20_000
        row.pointee.facts.latency_us = 21_000
        row.pointee.facts.cpu_used = 22_000
        row.pointee.facts.capacity = 23
        row.pointee.facts.error_ppm = 240_000
        row.pointee.came_ms = FakeTable.now - 26
        row.pointee.in_flight = 27
        row.pointee.served = 28
        row.pointee.failed = 29
        row.pointee.refused = 30
        row.pointee.service_us = 31_000 * 28
        row.pointee.facts.port = 33
        let values: [String: Double] = [
            "load": 1, "load_hwm": 2, "cpu": 3, "cpu_idle": 0.003, "tmem": 5, "amem": 6, "nservers": 7, "aservers": 8,
            "error_share": 0.24, "backoff_ms": 0, "id": 1,
        ]
        for code in 1..<Resource.statistic {
            let name = String(decoding: try #require(Resource.name(code)).bytes, as: UTF8.self)
            let value = values[name] ?? Double(code)
            #expect(try table.decide(["byResource \(name) == \(value)"]).ids == [1], "\(name)")
        }
        #expect(Resource.name(Resource.last + 1) == nil)
        row.pointee.backoff_until_ms = FakeTable.now + 32
        #expect(try table.decide(["byResource backoff_ms == 32"]).ids == [1], "the last resort")
    }

    /// What is pushed, with its name; it is not known of the others, and not for ever.
    @Test(
        arguments: [
            ("stat(threads) < 10", [0, 2]), ("stat(threads) < 40", [0, 2]), ("!(stat(threads) >= 40)", [0, 2]),
            ("stat(threads) > 40.5 && load < 1", [0, 2]), ("stat(threads) != 40", [0, 2]),
            ("stat(threads) + 1 < 41 || load == 2", [0, 1, 2]), ("!(stat(threads) < 40) && cpu > 100", [1, 2]),
            ("stat(other.name-1) == -5", [0, 1, 2]), ("stat(threads) * 0 == 0", [0, 1, 2]),
        ] as [(String, [Int32])])
    func statistics(condition: String, left: [Int32]) throws {
        push(table, 1, "threads", 40)
        push(table, 1, "other.name-1", -5)
        #expect(try table.decide(["byResource \(condition)"]).ids == left)
        let later = FakeTable.now + UInt64(BH_FRESH_MS)
        #expect(try table.decide(["byResource stat(threads) < 40"], now: later).ids == [0, 2])
        #expect(try table.decide(["byResource stat(threads) < 40"], now: later + 1).ids == [0, 1, 2])
    }

    private func push(_ table: FakeTable, _ id: UInt32, _ name: String, _ value: Int64) {
        let state = bh_segment_state(table.segment, id)
        var place: UInt32 = 0
        while bh_state_statistic(state, place).pointee.hash != 0 { place += 1 }
        let entry = bh_state_statistic(state, place)
        entry.pointee.hash = Array(name.utf8).withUnsafeBytes { bh_statistic_hash($0.baseAddress, $0.count) }
        entry.pointee.thousandths = value * 1000
        entry.pointee.stamp = bh_stamp(FakeTable.now, false)
        table.segment.pointee.states = BH_STATES_PUSHED.rawValue
    }

    /// If it leaves nobody, that is nobody; then servers that were left out are the last resort.
    @Test func nobody() throws {
        #expect(try table.decide(["byResource amem > 4096"]).ids == [])
        let other = FakeTable([FakeServer(), FakeServer(availableMemory: 512, backoff: FakeTable.now + 1)])
        let outcome = try other.decide(["byResource amem > 100"])
        #expect(outcome.ids == [1] && outcome.lastResort)
    }

    /// Whatever stands in the table, nothing traps.
    @Test(arguments: 0..<20)
    func noise(seed: UInt64) throws {
        let table = FakeTable(count: 16)
        table.fillWithNoise(seed: seed)
        bh_half_store(&table.segment.pointee.rows, 16)
        let before = try table.decide([]).ids
        for code in 1...Resource.last {
            let name = String(decoding: Resource.name(code)!.bytes, as: UTF8.self)
            let after = try table.decide([
                "byResource \(name)\(code == Resource.statistic ? "(x)" : "") / load - 1 > age_ms * 1000"
            ]).ids
            #expect(Set(after).isSubset(of: before))
        }
    }

    /// Nor with a program that no condition has.
    @Test(arguments: 0..<200)
    func nonsense(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed), stream: 0)
        var step = bh_step_t()
        step.function = 19
        for index in 0..<Int(BH_PROGRAM_WORDS) {
            bh_step_program_mutable(&step)[index] =
                index == 0 ? UInt64(random.below(64)) : UInt64(random.below(2)) << 63 | UInt64(random.below(120))
        }
        #expect(table.decide(Chain(steps: [step])).status == BH_OK.rawValue)
    }

    private func message(_ condition: String?) -> String {
        do throws(ConfigurationError) {
            _ = try parse(condition)
            return ""
        } catch {
            return error.text
        }
    }

    private func parse(_ condition: String?) throws(ConfigurationError) -> bh_step_t {
        guard let condition else { return try parseStep(name: "byResource", argument: nil) }
        return try parseStep(name: "byResource", argument: condition)
    }
}
