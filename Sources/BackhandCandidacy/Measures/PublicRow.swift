// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// One server's public row as the built-in functions read it: each number is checked, because functions may have
/// written it.
struct PublicRow {
    // Mutable only because a field's address can be taken of nothing else; nothing is written here.
    private let row: UnsafeMutablePointer<serverstat>

    init(_ segment: UnsafePointer<bh_segment_t>, _ id: UInt32) {
        row = UnsafeMutablePointer(mutating: bh_segment_public(segment, id))
    }

    /// The 1-minute load average in thousandths, not negative.
    var load: Int64 { Int64(max(0, bh_public_load(&row.pointee.load))) }

    /// The cluster's load high-water mark in thousandths, not negative.
    var loadHighWaterMark: Int64 { Int64(max(0, bh_public_load(&row.pointee.load_hwm))) }

    /// The idle share of the CPUs in thousandths, 0...1000.
    var idle: Int64 { Int64(min(1000, max(0, bh_public_load(&row.pointee.cpu)))) }

    /// All workers, and those that are idle, as they stand there.
    var workers: Int64 { Int64(bh_public_load(&row.pointee.nservers)) }
    var idleWorkers: Int64 { Int64(bh_public_load(&row.pointee.aservers)) }

    /// Workers that are not idle, not negative.
    var busyWorkers: Int64 { max(0, workers &- idleWorkers) }

    /// All memory in megabytes; 0 if it is not known.
    var totalMemory: Int64 { Int64(max(0, bh_public_load(&row.pointee.tmem))) }

    /// Available memory in megabytes, not negative; may be more than all memory.
    var availableMemory: Int64 { Int64(max(0, bh_public_load(&row.pointee.amem))) }
}
