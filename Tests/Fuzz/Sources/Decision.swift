// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandBridge
import CBackhand

/// Runs a chain over the segment and checks what comes out: servers of the table, each once.
func decide(_ steps: [bh_step_t], now: UInt64, seed: UInt64) {
    var request = bh_request_t()
    request.now_ms = now
    request.seed = seed
    request.repeatable = true
    let size = bh_chain_workspace(segment, steps, steps.count)
    let workspace = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    defer { workspace.deallocate() }
    var decision = bh_decision_t()
    promise(bh_chain_decide(segment, steps, steps.count, &request, workspace, size, &decision) == BH_OK, "no decision")
    var seen: Set<Int32> = []
    for place in 0..<Int(decision.count) {
        let id = decision.servers![place].id
        promise(id >= 0 && id < Int32(bh_segment_rows(segment)) && seen.insert(id).inserted, "no server, or one twice")
    }
}

private func step(_ name: StaticString, _ argument: StaticString? = nil) -> bh_step_t {
    func text(_ string: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(string.utf8Start).assumingMemoryBound(to: CChar.self)
    }
    var step = bh_step_t()
    promise(bh_step_parse(text(name), argument.map(text), &step, nil, 0) == BH_OK, "a step")
    return step
}

nonisolated(unsafe) private let every = [
    step("byAge", "20"), step("removeSelf"), step("byRandom"), step("byLoad", "0.5"), step("byBusyChildren", "2"),
    step("byCPU"),
    step("byCost"), step("byHealth"),
    step("byResource", "load / cpu - amem * age_ms != -(1 / latency_ms) && !(tmem < up_ms)"),
    step("bySample", "9"), step("byLeastTime"), step("byForecast"), step("default"), step("byLogWindow"),
    step("addSelf"),
]

/// Sixteen rows full of noise, as a moderator gone mad would leave them: every function, the JSON and the mark live
/// with it.
func fuzzSegment(_ bytes: UnsafeRawBufferPointer) {
    var source = Source(bytes)
    let now = source.word()
    let seed = source.word()
    clearSegment()
    bh_half_store(&segment.pointee.rows, UInt32(fuzzedRows))
    fill(
        UnsafeMutableRawBufferPointer(
            start: bh_segment_public_mutable(segment, 0), count: fuzzedRows * MemoryLayout<serverstat>.stride), &source)
    fill(
        UnsafeMutableRawBufferPointer(
            start: bh_segment_row_mutable(segment, 0), count: fuzzedRows * MemoryLayout<bh_row_t>.stride), &source)
    decide(every, now: now, seed: seed)
    for one in every { decide([one], now: now, seed: seed) }
    var page = bh_page_t()
    (page.now_ms, page.wall_s, page.json) = (now, Int64(bitPattern: seed), true)
    _ = bh_page_write(segment, &page, { _, _, _ in true }, nil)
    promise(bh_segment_rows(segment) == UInt32(fuzzedRows), "the number of rows has changed")
}

private func fill(_ memory: UnsafeMutableRawBufferPointer, _ source: inout Source) {
    for index in memory.indices where !source.isEmpty { memory[index] = source.byte() }
}

/// What the loaded function writes. A C function pointer carries nothing with it.
nonisolated(unsafe) private var script: [UInt8] = []

private func scripted(
    _: UnsafeMutableRawPointer?, _ servers: UnsafeMutablePointer<ServerSlot>, _ count: UnsafeMutablePointer<CInt>,
    _: UnsafeMutablePointer<CChar>?
) -> CInt {
    script.withUnsafeBytes { bytes in
        var source = Source(bytes)
        // The bytes of the count decide how wild it is: mostly small, sometimes anything.
        let first = source.byte()
        count.pointee = first < 200 ? CInt(first % 20) : CInt(truncatingIfNeeded: source.word())
        for place in 0..<min(Int(max(count.pointee, 0)), Int(BH_ROWS)) where !source.isEmpty {
            let id = source.byte()
            servers[place].id = id < 240 ? CInt(id % 18) : CInt(truncatingIfNeeded: source.word())
            if source.byte() == 7 { servers[place].mode = CChar(bitPattern: source.byte()) }
        }
        if source.byte() == 77 { servers[Int(BH_ROWS)].id = 1 }  // behind the list
    }
    return count.pointee
}

/// What an added function may return.
func fuzzLoaded(_ bytes: UnsafeRawBufferPointer) {
    script = Array(bytes)
    clearSegment()
    for id in 0..<UInt32(fuzzedRows) {
        bh_word_store(&bh_segment_row_mutable(segment, id).pointee.heard_ms, 1000)
    }
    bh_half_store(&segment.pointee.rows, UInt32(fuzzedRows))
    var own = bh_step_t()
    own.function = Int32(BH_FUNCTION_LOADED)
    own.call = scripted
    decide([step("byRandom"), own, step("byLoad"), own], now: 2000, seed: 1)
}
