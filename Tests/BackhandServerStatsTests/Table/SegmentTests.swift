// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandTestbed
import Foundation
import Testing

/// A segment, and what tests look at in it.
final class TestSegment: Sendable {
    private let whole: SegmentMemory
    var memory: UnsafeMutableRawPointer { whole.bytes.baseAddress! }
    var size: Int { whole.bytes.count }
    var segment: UnsafeMutablePointer<bh_segment_t> { whole.segment }

    init(childSlots: UInt32 = 2, bootID: UInt64 = 1) {
        whole = SegmentMemory(childSlots: childSlots, bootID: bootID)
    }

    /// A moderator takes the segment over.
    func writer(pid: Int32 = 100, others: [bh_facts_t] = [], keyed: Bool = false) -> StatsWriter {
        StatsWriter(segment: segment, epoch: bh_segment_own(segment, pid), others: others, keyed: keyed)
    }

    func row(_ id: UInt32) -> UnsafeMutablePointer<bh_row_t> { bh_segment_row_mutable(segment, id) }
    func publicRow(_ id: UInt32) -> UnsafeMutablePointer<serverstat> { bh_segment_public_mutable(segment, id) }
    func facts(_ id: UInt32) -> bh_facts_t? {
        var facts = bh_facts_t()
        return bh_row_copy(row(id), &facts) ? facts : nil
    }
    func counter(_ counter: bh_counter_t) -> UInt64 { bh_counter_load(segment, counter.rawValue) }

    /// Names members, "a.test", "b.test" and so on; their rows.
    func name(_ places: [bh_place_t], reserved: Bool = false, now: UInt64 = 1000) -> [UInt32] {
        let names = places.indices.map { strdup(String(Unicode.Scalar(UInt8(97 + $0 % 26))) + ".test") }
        defer { names.forEach { free($0) } }
        let named = UnsafeMutablePointer<bh_named_t>.allocate(capacity: places.count)
        defer { named.deallocate() }
        for (index, place) in places.enumerated() {
            named[index] = bh_named_t(place: place, name: names[index]!, row: 99, reserved: reserved)
        }
        let pointers = places.indices.map { named + $0 }
        pointers.withUnsafeBufferPointer { writeMembers(segment, $0, now: now) }
        return places.indices.map { named[$0].row }
    }
}

func place(_ address: String, _ port: UInt16 = 80) -> bh_place_t {
    bh_place_t(address: announcement(address).address, port: port)
}

/// An announcement with only the fields that the tests look at.
func announcement(
    _ address: String = "10.0.0.4", port: UInt16 = 80, boot: UInt64 = 7, sequence: UInt64 = 1,
    hostname: String = "web1", sent: UInt64 = 0
) -> bh_facts_t {
    var facts = bh_facts_t()
    facts.address = parseAddress(address) ?? bh_address_t()
    facts.port = port
    facts.boot_id = boot
    facts.sequence = sequence
    facts.sent_ms = sent
    let name = Array(hostname.utf8.prefix(Int(BH_HOSTNAME_SIZE) - 1))
    withUnsafeMutableBytes(of: &facts.hostname) { $0.copyBytes(from: name) }
    return facts
}

func text<Bytes>(_ field: Bytes) -> String {
    withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

@Suite struct SegmentTests {
    @Test(arguments: [UInt32(1), 2, 256])
    func formatted(childSlots: UInt32) {
        let made = TestSegment(childSlots: childSlots, bootID: 77)
        #expect(made.size == segmentSize(childSlots: 0) + Int(childSlots) * MemoryLayout<bh_child_t>.size)
        #expect(checkSegment(made.memory, size: made.size))
        #expect(checkSegment(made.memory, size: made.size + 4096))
        #expect(made.segment.pointee.boot_id == 77)
        #expect(made.segment.pointee.child_slots == childSlots)
        #expect(bh_segment_rows(made.segment) == 0)
    }

    @Test func refused() {
        let made = TestSegment()
        #expect(!checkSegment(made.memory, size: made.size - 1))
        #expect(!checkSegment(made.memory, size: 0))
        #expect(!checkSegment(made.memory + 1, size: made.size))
        made.segment.pointee.layout ^= 1
        #expect(!checkSegment(made.memory, size: made.size))
        made.segment.pointee.layout ^= 1
        made.segment.pointee.child_slots += 1
        #expect(!checkSegment(made.memory, size: made.size))
        made.segment.pointee.child_slots -= 1
        #expect(checkSegment(made.memory, size: made.size))
        made.segment.pointee.magic = 0
        #expect(!checkSegment(made.memory, size: made.size))
    }

    /// Every counter has a name of its own.
    @Test func counterNames() throws {
        var names = Set<String>()
        for counter in 0..<BH_COUNTERS.rawValue {
            names.insert(String(cString: try #require(counterName(counter))))
        }
        #expect(names.count == Int(BH_COUNTERS.rawValue))
        #expect(counterName(BH_COUNTERS.rawValue) == nil)
        #expect(counterName(.max) == nil)
        #expect(String(cString: try #require(counterName(BH_COUNT_TABLE_FULL.rawValue))) == "table_full")
    }
}
