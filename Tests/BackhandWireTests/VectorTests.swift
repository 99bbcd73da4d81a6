// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandWire
import Foundation
import Testing

/// One datagram of Tests/Vectors/wire and what becomes of it. Tests/Vectors/wire/README.md describes the files.
struct Vector: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var expectation: Expectation
    var testDescription: String { name }

    struct Expectation: Decodable, Sendable {
        var result: String
        var counter: String?
        var encodes: Bool?
        var facts: Facts?
    }

    struct Facts: Decodable, Sendable, Equatable {
        var boot_id, address, hostname: String
        var sequence, total_memory, free_memory, arrivals, worker_memory: UInt64
        var port: UInt16
        var arriba, load, load_hwm, cpu, ncpu, workers, idle_workers: Int32
        var state: UInt8?
        var stalled: UInt32?
        var slashes: [UInt32]?
        var idle: [UInt32]?
        var means: [UInt64]?
    }

    static let all: [Vector] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Vectors/wire")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".hex") }.sorted().map { name in
            let file = folder.appendingPathComponent(name)
            do {
                return Vector(
                    name: String(name.dropLast(4)), bytes: try bytes(String(contentsOf: file, encoding: .utf8)),
                    expectation: try JSONDecoder().decode(
                        Expectation.self,
                        from: Data(contentsOf: file.deletingPathExtension().appendingPathExtension("json"))))
            } catch {
                fatalError("\(name): \(error)")
            }
        }
    }()

    /// Pairs of digits; what stands behind "#" is for people.
    private static func bytes(_ text: String) throws -> [UInt8] {
        try text.split(separator: "\n").flatMap { line in
            try line.prefix { $0 != "#" }.split(separator: " ").map { pair in
                try #require(pair.count == 2 ? UInt8(pair, radix: 16) : nil)
            }
        }
    }
}

extension Vector.Facts {
    init(_ facts: bh_facts_t) {
        let means =
            [facts.dispatched]
            + [
                facts.mean_in_flight, facts.arrival_rate, facts.first_byte_us, facts.latency_us, facts.cpu_used,
                facts.capacity, facts.error_ppm,
            ].map(UInt64.init)
        self.init(
            boot_id: String(repeating: "0", count: facts.boot_id.leadingZeroBitCount / 4 - (facts.boot_id == 0 ? 1 : 0))
                + String(facts.boot_id, radix: 16),
            address: facts.address.text,
            hostname: withUnsafeBytes(of: facts.hostname) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) },
            sequence: facts.sequence, total_memory: facts.total_memory, free_memory: facts.free_memory,
            arrivals: facts.arrivals, worker_memory: facts.worker_memory, port: facts.port, arriba: facts.arriba,
            load: facts.load, load_hwm: facts.load_hwm, cpu: facts.cpu, ncpu: facts.ncpu, workers: facts.workers,
            idle_workers: facts.idle_workers, state: facts.state == 0 ? nil : facts.state,
            stalled: facts.stalled_ms == 0 ? nil : facts.stalled_ms,
            slashes: facts.slashes == 0 ? nil : [facts.slashes >> 8, facts.slashes & 0xff],
            idle: facts.idle_cost == 0
                ? nil
                : [
                    facts.idle_cost, facts.keepalive_ms, facts.keepalive_requests,
                    UInt32(bitPattern: facts.kept_workers),
                ],
            means: means.allSatisfy { $0 == 0 || $0 == UInt64(BH_CPU_UNKNOWN) } ? nil : means)
    }
}

func decode(_ bytes: [UInt8]) -> Decoded {
    bytes.withUnsafeBytes { decodeAnnouncement($0) }
}

func encode(_ facts: bh_facts_t) -> [UInt8] {
    var buffer = [UInt8](repeating: 0xee, count: announcementLimit)
    let length = buffer.withUnsafeMutableBytes { encodeAnnouncement(facts, into: $0) }
    return Array(buffer[..<length])
}

@Suite struct VectorTests {
    /// The folder is really there, with something for each way to drop a datagram.
    @Test func vectorsExist() {
        #expect(Vector.all.count >= 40)
        #expect(
            Set(Vector.all.compactMap(\.expectation.counter)) == [
                "truncated", "oversized", "foreign", "version", "nonsense",
            ])
    }

    @Test(arguments: Vector.all)
    func decoded(vector: Vector) throws {
        switch decode(vector.bytes) {
        case .announcement(let facts):
            #expect(vector.expectation.result == "announcement")
            #expect(Vector.Facts(facts) == vector.expectation.facts)
            #expect(facts.changed_wall == 0)
        case .dropped(let counter):
            #expect(vector.expectation.result == "dropped")
            #expect(counterName(counter.rawValue).map { String(cString: $0) } == vector.expectation.counter)
        }
    }

    /// What this program sends for the facts is byte for byte the vector.
    @Test(arguments: Vector.all.filter { $0.expectation.encodes == true })
    func encoded(vector: Vector) throws {
        guard case .announcement(let facts) = decode(vector.bytes) else {
            Issue.record("not decoded")
            return
        }
        #expect(encode(facts) == vector.bytes)
    }
}
