// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// What an expression may ask of a server, by codes from 1 on.
///
/// A name of the status JSON means the same here, in the same unit; the others are names of the public rows
/// (mod_backhand.h), in theirs.
enum Resource {
    static var last: Int32 { 34 }
    /// Where their codes begin among all words that may be misspelt.
    static var words: Int32 { 1000 }

    /// nil past the last.
    static func name(_ code: Int32) -> StaticString? {
        switch code {
        case 1: "load"
        case 2: "load_hwm"
        case 3: "cpu"
        case 4: "cpu_idle"
        case 5: "tmem"
        case 6: "amem"
        case 7: "nservers"
        case 8: "aservers"
        case 9: "arriba"
        case 10: "ncpu"
        case 11: "memory_total"
        case 12: "memory_available"
        case 13: "memory_worker"
        case 14: "workers"
        case 15: "workers_idle"
        case 16: "arrivals"
        case 17: "dispatched"
        case 18: "mean_in_flight"
        case 19: "arrival_rate"
        case 20: "first_byte_ms"
        case 21: "latency_ms"
        case 22: "cpu_used"
        case 23: "capacity"
        case 24: "error_share"
        case 25: "age_ms"
        case 26: "up_ms"
        case 27: "in_flight"
        case 28: "served"
        case 29: "failed"
        case 30: "refused"
        case 31: "mean_ms"
        case 32: "backoff_ms"
        case 33: "port"
        case 34: "id"
        default: nil
        }
    }

    /// The value for a server now; each is finite. What is written while this reads may be of two announcements.
    static func value(_ code: Int32, _ candidates: Candidates, _ slot: ServerSlot) -> Double {
        let row = UnsafeMutablePointer(mutating: bh_segment_row(candidates.segment, slot.row))
        if code <= 8 { return publicValue(code, PublicRow(candidates.segment, slot.row)) }
        if code <= 24 { return announced(code, row) }
        let feedback = candidates.feedback(of: slot)
        switch code {
        case 25: return elapsed(bh_row_heard(row), candidates.ageClock)
        case 26: return elapsed(bh_row_came(row), candidates.now)
        case 27: return Double(bh_half_load(&feedback.pointee.in_flight))
        case 28: return Double(bh_word_load(&feedback.pointee.served))
        case 29: return Double(bh_word_load(&feedback.pointee.failed))
        case 30: return Double(bh_half_load(&row.pointee.refused))
        case 31: return Double(bh_row_mean_us(feedback)) / 1000
        case 32: return elapsed(candidates.now, bh_row_backoff(row))
        case 33: return Double(row.pointee.facts.port)
        default: return Double(slot.id)
        }
    }

    private static func publicValue(_ code: Int32, _ row: PublicRow) -> Double {
        switch code {
        case 1: Double(row.load) / 1000
        case 2: Double(row.loadHighWaterMark) / 1000
        case 3: Double(row.idle)
        case 4: Double(row.idle) / 1000
        case 5: Double(row.totalMemory)
        case 6: Double(row.availableMemory)
        case 7: Double(row.workers)
        default: Double(row.idleWorkers)
        }
    }

    private static func announced(_ code: Int32, _ row: UnsafeMutablePointer<bh_row_t>) -> Double {
        switch code {
        case 9: Double(bh_signed_load(&row.pointee.facts.arriba))
        case 10: Double(bh_signed_load(&row.pointee.facts.ncpu))
        case 11: Double(bh_word_load(&row.pointee.facts.total_memory))
        case 12: Double(bh_word_load(&row.pointee.facts.free_memory))
        case 13: Double(bh_word_load(&row.pointee.facts.worker_memory))
        case 14: Double(bh_signed_load(&row.pointee.facts.workers))
        case 15: Double(bh_signed_load(&row.pointee.facts.idle_workers))
        case 16: Double(bh_word_load(&row.pointee.facts.arrivals))
        case 17: Double(bh_word_load(&row.pointee.facts.dispatched))
        case 18: Double(bh_half_load(&row.pointee.facts.mean_in_flight)) / 1000
        case 19: Double(bh_half_load(&row.pointee.facts.arrival_rate)) / 1000
        case 20: Double(bh_half_load(&row.pointee.facts.first_byte_us)) / 1000
        case 21: Double(bh_half_load(&row.pointee.facts.latency_us)) / 1000
        case 22: Double(bh_half_load(&row.pointee.facts.cpu_used)) / 1000
        case 23: Double(bh_half_load(&row.pointee.facts.capacity))
        default: Double(bh_half_load(&row.pointee.facts.error_ppm)) / 1_000_000
        }
    }

    private static func elapsed(_ start: UInt64, _ end: UInt64) -> Double {
        end > start ? Double(end &- start) : 0
    }
}
