// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// What an expression may ask of a server, by codes from 1 on.
///
/// A name of the status JSON means the same here, in the same unit; the others are names of the public rows
/// (mod_backhand.h), in theirs.
enum Resource {
    static var last: Int32 { 35 }
    /// A statistic by its name.
    static var statistic: Int32 { 35 }
    /// Where their codes begin among all words that may be misspelt.
    static var words: Int32 { 1000 }

    /// nil past the last.
    static func name(_ code: Int32) -> Word? {
        names.text(at: UInt32(bitPattern: code &- 1)).map { Word($0) }
    }

    /// In the order of their codes, a NUL between them.
    private static var names: StaticString {
        """
        load\0load_hwm\0cpu\0cpu_idle\0tmem\0amem\0nservers\0aservers\0arriba\0ncpu\0memory_total\0\
        memory_available\0memory_worker\0workers\0workers_idle\0arrivals\0dispatched\0mean_in_flight\0\
        arrival_rate\0first_byte_ms\0latency_ms\0cpu_used\0capacity\0error_share\0age_ms\0up_ms\0in_flight\0\
        served\0failed\0refused\0mean_ms\0backoff_ms\0port\0id\0stat
        """
    }

    /// The value for a server now; each is finite, or not known. What is written while this reads may be of two
    /// announcements.
    ///
    /// - Parameter word: the word of the program, which says which statistic it is.
    static func value(_ code: Int32, _ candidates: Candidates, _ slot: ServerSlot, _ word: UInt64) -> Double {
        if !candidates.members.isEmpty, isUnknown(code, candidates, slot) { return Instruction.unknown }
        let row = UnsafeMutablePointer(mutating: bh_segment_row(candidates.segment, slot.row))
        if code <= 8 { return publicValue(code, PublicRow(candidates.segment, slot.row)) }
        if code <= 24 { return announced(code, row) }
        let feedback = candidates.feedback(of: slot)
        switch code {
        case 25: return elapsed(bh_row_last_heard(row), candidates.ageClock)
        case 26: return elapsed(bh_row_came(row), candidates.now)
        case 27: return Double(bh_half_load(&feedback.pointee.in_flight))
        case 28: return Double(bh_word_load(&feedback.pointee.served))
        case 29: return Double(bh_word_load(&feedback.pointee.failed))
        case 30: return Double(bh_half_load(&row.pointee.refused))
        case 31: return Double(bh_row_mean_us(feedback)) / 1000
        case 32: return elapsed(candidates.now, bh_row_backoff(row))
        case 33: return Double(row.pointee.facts.port)
        case statistic:
            return bh_state_number(
                candidates.segment, slot.row, UInt32(truncatingIfNeeded: word >> Instruction.statistic) & 0x3fff_ffff,
                candidates.now, Instruction.unknown)
        default: return Double(slot.id)
        }
    }

    /// Whether it would be announced, and the server, a member, announces nothing.
    @inline(never)
    private static func isUnknown(_ code: Int32, _ candidates: Candidates, _ slot: ServerSlot) -> Bool {
        guard code <= 25, bh_row_heard(bh_segment_row(candidates.segment, slot.row)) == 0 else { return false }
        if code == 25 { return bh_row_last_heard(bh_segment_row(candidates.segment, slot.row)) == 0 }
        let isPushed = code == 1 || code == 3 || code == 4
        return !isPushed || !bh_state_tells(candidates.segment, slot.row, code != 1, candidates.now)
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
        case 22: Double(known(bh_half_load(&row.pointee.facts.cpu_used))) / 1000
        case 23: Double(bh_half_load(&row.pointee.facts.capacity))
        default: Double(bh_half_load(&row.pointee.facts.error_ppm)) / 1_000_000
        }
    }

    /// What is not known counts as nothing.
    private static func known(_ use: UInt32) -> UInt32 { use == BH_CPU_UNKNOWN ? 0 : use }

    private static func elapsed(_ start: UInt64, _ end: UInt64) -> Double {
        end > start ? Double(end &- start) : 0
    }
}
