// Licensed under the Apache License, Version 2.0; see LICENSE.

@testable import BackhandModerator
@testable import BackhandServerStats
import BackhandBridge
import CBackhand
import CSystem
import Glibc

/// Slots for children that the mapping has; what the segment says of itself is noise.
private let slots: UInt32 = 2

/// Exactly as large as it must be: AddressSanitizer sees the first byte behind it.
nonisolated(unsafe) private let owned: UnsafeMutablePointer<bh_segment_t> = {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: segmentSize(childSlots: slots), alignment: 64)
    return memory.baseAddress!.assumingMemoryBound(to: bh_segment_t.self)
}()

private var whole: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: owned, count: segmentSize(childSlots: slots))
}

/// What httpd's parent and the moderator do with a segment into which the children's user writes what it likes, before
/// and meanwhile.
func fuzzOwner(_ bytes: UnsafeRawBufferPointer) {
    var source = Source(bytes)
    spoil(&source)
    let now = source.word() & 0xffff_ffff_ffff
    guard source.byte() & 1 != 0 else {
        parent(&source)
        moderator(&source, now: now)
        return
    }
    let noise = Noise(seed: source.word(), now: now)
    parent(&source)
    moderator(&source, now: now)
    noise.end()
}

/// The moderator's own steps, without sockets: it has no line of MulticastStats.
nonisolated(unsafe) private let whoWorks: Moderator = {
    var config = bh_moderator_config_t()
    config.segment = owned
    config.control_fd = -1
    config.port = 80
    guard let moderator = try? Moderator.open(config) else { fatalError("no moderator") }
    moderator.beginNetwork(now: 0)
    return moderator
}()

/// A thread that writes into the segment as long as it lives: no word is twice the same for whoever reads it twice.
private final class Noise: @unchecked Sendable {
    private let now: UInt64
    private var state: UInt64
    private let stop = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private var thread = pthread_t()

    init(seed: UInt64, now: UInt64) {
        state = seed | 1
        self.now = now
        stop.initialize(to: 0)
        let started = pthread_create(
            &thread, nil,
            { raw in
                Unmanaged<Noise>.fromOpaque(raw!).takeUnretainedValue().work()
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
        promise(started == 0, "no thread")
    }

    func end() {
        bh_half_store(stop, 1)
        pthread_join(thread, nil)
        stop.deallocate()
    }

    private func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 16
    }

    private func work() {
        let words = UnsafeMutableRawPointer(owned).assumingMemoryBound(to: UInt64.self)
        let epoch = MemoryLayout<bh_segment_t>.offset(of: \bh_segment_t.owner_epoch)! / 8
        let rows = UnsafeRawPointer(bh_segment_row(owned, 0)) - UnsafeRawPointer(owned)
        while bh_half_load(stop) == 0 {
            for id in 0..<UInt32(fuzzedRows) {
                bh_word_store(&bh_segment_row_mutable(owned, id).pointee.backoff_until_ms, value())
            }
            for _ in 0..<64 {
                let size = fuzzedRows * MemoryLayout<bh_row_t>.stride / 8
                let place =
                    next() & 1 == 0 ? Int(next() % UInt64(headerSize / 8)) : rows / 8 + Int(next() % UInt64(size))
                // Who does not own the segment does nothing.
                if place != epoch { bh_word_store(&words[place], value()) }
            }
        }
    }

    /// Mostly times about now, and numbers at the ends of what there is.
    private func value() -> UInt64 {
        switch next() & 7 {
        case 0: 0
        case 1: .max
        case 2: now
        case 3, 4: now &+ 1000
        case 5: now &- 10_000
        case 6: next() & 0xff
        default: next() << 16 ^ next()
        }
    }
}

/// A good segment, then noise: in the header and the children's slots, in the first rows, or in all of it.
private func spoil(_ source: inout Source) {
    let noisy = source.byte()
    if noisy & 1 != 0 {
        var state = source.word()
        for word in whole.bindMemory(to: UInt64.self).indices {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // Mostly near the ends of what a number can be, where sums and products overflow.
            whole.bindMemory(to: UInt64.self)[word] =
                state >> 62 == 0 ? state : state >> 61 == 7 ? .max &- state >> 56 : state >> 58
        }
    } else {
        whole.initializeMemory(as: UInt8.self, repeating: 0)
        formatSegment(owned, size: whole.count, childSlots: slots, bootID: 1)
    }
    if noisy & 2 != 0 { fill(UnsafeMutableRawBufferPointer(rebasing: whole[..<headerSize]), &source) }
    if noisy & 4 != 0 {
        for child in 0..<Int(slots) { bh_segment_children(owned)[child].pid = Int32(truncatingIfNeeded: source.word()) }
    }
    guard noisy & 8 != 0 else { return }
    let rows = UnsafeMutableRawPointer(bh_segment_row_mutable(owned, 0))
    fill(UnsafeMutableRawBufferPointer(start: rows, count: fuzzedRows * MemoryLayout<bh_row_t>.stride), &source)
}

/// All that stands before the rows.
private let headerSize = MemoryLayout<bh_segment_t>.offset(of: \bh_segment_t.counters)!

private func fill(_ memory: UnsafeMutableRawBufferPointer, _ source: inout Source) {
    for index in memory.indices where !source.isEmpty { memory[index] = source.byte() }
}

/// The root parent: looks whether it can keep the segment, and takes back what a child had in flight.
private func parent(_ source: inout Source) {
    let size = whole.count
    let kept = bh_segment_check(owned, size)
    promise(kept == BH_OK || kept == BH_ELAYOUT, "neither kept nor left")
    promise(
        bh_child_slots(size) == slots && bh_child_slots(size - 1) == slots - 1 && bh_child_slots(0) == 0,
        "the mapping's slots")
    let pids = [
        bh_segment_children(owned)[0].pid, bh_segment_children(owned)[1].pid, Int32(truncatingIfNeeded: source.word()),
    ]
    for pid in pids { bh_child_forget(owned, bh_child_slots(size), pid, source.word()) }
    for pid in [77, 78, 79] as [Int32] {
        let slot = bh_child_claim(owned, bh_child_slots(size), pid)
        promise(slot >= -1 && slot < Int32(slots), "a slot outside the mapping")
    }
}

/// The moderator: takes over whatever it finds, hears, announces, publishes, expires, obeys and reports, while the
/// segment changes under it.
private func moderator(_ source: inout Source, now start: UInt64) {
    var epoch = bh_segment_own(owned, 4242)
    let other = facts(&source, address: 9)
    let keyed = source.byte() & 1 != 0
    var writer = StatsWriter(segment: owned, epoch: epoch, others: [other], keyed: keyed)
    var now = start
    for _ in 0..<24 where !source.isEmpty {
        let step = source.byte()
        now &+= step & 0x80 != 0 ? 61_000 : 100
        switch step & 15 {
        case 0, 1, 2, 3: hear(&writer, facts(&source, address: step >> 4 & 7), now: now)
        case 4: writer.writeSelf(facts(&source, address: 8), now: now, wall: 5)
        case 5: writer.writeOther(other, now: now, wall: 5)
        case 6: writer.publishFeedback(nowMicroseconds: now &* 1000)
        case 7: writer.expire(after: 10_000, now: now)
        case 8: obey(&source, rows: writer.rows, now: now)
        case 9: report(rows: writer.rows, now: now)
        case 10:
            // A new moderator, or one that has been robbed of its segment.
            epoch = bh_segment_own(owned, 4243)
            if step & 16 == 0 { writer = StatsWriter(segment: owned, epoch: epoch, others: [], keyed: keyed) }
        case 11: bh_half_store(&owned.pointee.rows, UInt32(truncatingIfNeeded: source.word()))
        case 12: whoWorks.news.tell(rows: writer.rows, routes: whoWorks.network.plan.routes, now: now)
        case 13: workOneRound(&writer, now: now)
        default: write(&source)
        }
        promise(
            bh_segment_rows(owned) <= UInt32(BH_ROWS) && writer.rows >= 1 && writer.rows <= UInt32(BH_ROWS),
            "more rows than there are")
    }
    report(rows: writer.rows, now: now)
}

private func hear(_ writer: inout StatsWriter, _ facts: bh_facts_t, now: UInt64) {
    _ = writer.isNew(facts)
    _ = writer.needsProof(facts, now: now)
    if case .row(let id) = writer.hear(facts, now: now, wall: 5) {
        promise(id > 0 && id < UInt32(BH_ROWS), "a row outside the table")
    }
}

/// All that the moderator does once a second, and at its start.
private func workOneRound(_ writer: inout StatsWriter, now: UInt64) {
    whoWorks.news.adoptTable(rows: writer.rows, now: now)
    whoWorks.announcer.claimOwnAddresses(&writer, now: now)
    whoWorks.announcer.watchStopping(now: now)
    whoWorks.round(&writer, now: now)
    let order = ControlOrder(state: BH_STATE_UP, server: NamedServer("10.0.0.1:80".utf8))
    promise(whoWorks.control.obey(order, rows: writer.rows, now: now).last == UInt8(ascii: "\n"), "no line")
}

/// A child's process writes eight bytes somewhere.
private func write(_ source: inout Source) {
    let place = Int(source.word() % UInt64(whole.count / 8)) * 8
    whole.storeBytes(of: source.word(), toByteOffset: place, as: UInt64.self)
}

private func obey(_ source: inout Source, rows: UInt32, now: UInt64) {
    let state = bh_state_t(UInt32(source.byte() % 3))
    if let id = row(in: owned, rows: rows, of: bh_address_t(ipv4: 0x0a00_0001), port: 80) {
        order(state, in: owned, id)
    }
    orderSelf(state, in: owned, rows: rows, now: now)
    let text = stateJSON(owned, UInt32(source.byte()), underWay: nil)
    promise(text.first == UInt8(ascii: "{") && text.last == UInt8(ascii: "\n"), "no JSON")
}

private func report(rows: UInt32, now: UInt64) {
    var page = bh_page_t()
    (page.now_ms, page.wall_s, page.json) = (now, Int64.max, true)
    promise(bh_page_write(owned, &page, { _, _, _ in true }, nil) == BH_OK, "the JSON stops")
    promise(
        loadHighWaterMark(owned, rows: rows) >= 1000 && highestArriba(owned, rows: rows) >= 0, "a mark that cannot be")
}

/// What the decoder lets through: any numbers, from one of a few servers.
private func facts(_ source: inout Source, address: UInt8) -> bh_facts_t {
    var facts = bh_facts_t()
    facts.address = bh_address_t(ipv4: 0x0a00_0000 | UInt32(address))
    facts.port = 80
    facts.boot_id = UInt64(source.byte() & 7) + 2
    facts.sequence = UInt64(source.byte())
    facts.sent_ms = source.word()
    facts.load = Int32(truncatingIfNeeded: source.word())
    facts.state = source.byte()
    return facts
}
