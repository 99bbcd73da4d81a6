// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// Whether a server has few idle workers, by its announcements, and what that did to the times that were seen there.
///
/// A request that waits for a worker takes long, however quick the application is. Such times must not repel requests
/// once there are workers again: hardly any would be sent, so hardly any would show that it is quick.
struct WorkerShortage {
    private var heard: UInt64 = 0
    /// In the announcement before; nil: there was none.
    private var idle: UInt32?
    /// Idle workers in the mean of the last few announcements.
    private var mean = 0.0
    /// Announcements since the last one with few idle workers; nil: there was none, or its effects are over.
    private var calm: Int?
    /// Times as they were when few idle workers were announced first, by chain, microseconds; 0: none was known.
    private var before: [UInt64] = []

    /// Requests that have waited are answered a moment after the first announcement with idle workers. By the second
    /// one they are gone.
    private static let settled = 2
    /// Weight of an announcement in the mean. Requests are much shorter than the second between two announcements, so
    /// one tells by chance how many workers are idle: with a smaller weight, a server that has become idle gets nothing
    /// for longer than two seconds; with a larger one chance decides.
    private static let weight = 0.5
    /// This many times what it was before, or what the server itself took, is a wait: the server does not count that.
    /// What is less is the requests' doing.
    private static let waited: UInt64 = 4

    /// Looks at the row's last announcement.
    mutating func close(_ segment: UnsafeMutablePointer<bh_segment_t>, _ id: UInt32, nowMicroseconds: UInt64) {
        let row = bh_segment_row_mutable(segment, id)
        let at = bh_row_heard(row)
        guard at != heard else { return }
        let isFirst = heard == 0
        heard = at
        let (workers, idle) = (
            bh_signed_load(&row.pointee.facts.workers), bh_signed_load(&row.pointee.facts.idle_workers)
        )
        let last = UInt32(max(0, idle))
        let isShort = workers > 0 && idle < bh_workers_reserve(workers)
        let since = bh_segment_short(segment, id)
        // A new moderator finds what its predecessor saw begin.
        if isFirst, since != 0 { calm = 0 }
        bh_segment_set_spare(
            segment, id, isShort ? since != 0 ? since : max(1, nowMicroseconds / 1000) : 0, spare(last))
        if isShort {
            if calm == nil {
                before = (0..<UInt32(BH_CHAINS)).map { bh_mean_value(bh_word_load(bh_row_latency(row, $0))) }
            }
            return calm = 0
        }
        guard let rounds = calm else { return }
        calm = rounds + 1
        guard rounds + 1 == Self.settled else { return }
        forgetWaits(row, nowMicroseconds)
        calm = nil
        before = []
    }

    /// Idle workers that may be counted on until the next announcement: the least of the last two and of the mean,
    /// which counts as whole from 0.8 on because it comes near a steady number, but never to it.
    private mutating func spare(_ last: UInt32) -> UInt32 {
        mean = idle == nil ? Double(last) : mean + Self.weight * (Double(last) - mean)
        let least = min(last, idle ?? last, UInt32(mean + 0.2))
        idle = last
        return least
    }

    /// What was known before holds again. If nothing was, the server counts as not seen yet: it is as good as the best
    /// that was.
    private func forgetWaits(_ row: UnsafeMutablePointer<bh_row_t>, _ nowMicroseconds: UInt64) {
        guard !bh_row_own(row) else { return }
        let own = UInt64(bh_half_load(&row.pointee.facts.latency_us))
        for slot in 0..<UInt32(BH_CHAINS) {
            let word = bh_row_latency(row, slot)
            let seen = bh_mean_value(bh_word_load(word))
            let known = before.isEmpty ? 0 : before[Int(slot)]
            guard seen > (known > 0 ? known : own) * Self.waited else { continue }
            bh_word_store(word, known == 0 ? 0 : bh_mean_word(known, nowMicroseconds))
        }
    }
}
