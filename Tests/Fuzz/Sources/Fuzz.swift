// Licensed under the Apache License, Version 2.0; see LICENSE.

// One libFuzzer program for all targets: FUZZ_TARGET says which. `make fuzz` runs them.

import CBackhand
import CSystem

/// What is fuzzed: takes any bytes, and may neither trap nor break a promise.
let targets: [(name: String, run: @Sendable (UnsafeRawBufferPointer) -> Void)] = [
    ("datagram", fuzzDatagram),
    ("control", fuzzControl),
    ("answer", fuzzAnswer),
    ("text", fuzzText),
    ("loaded", fuzzLoaded),
    ("segment", fuzzSegment),
    ("header", fuzzHeader),
    ("owner", fuzzOwner),
    ("athena", fuzzAthena),
    ("cookie", fuzzCookie),
]

private let chosen: @Sendable (UnsafeRawBufferPointer) -> Void = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = targets.first(where: { $0.name == name }) else {
        fatalError("FUZZ_TARGET must be one of \(targets.map(\.name).joined(separator: ", "))")
    }
    return target.run
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    chosen(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}

/// What must hold, whatever the input is.
func promise(_ condition: Bool, _ text: StaticString) {
    if !condition { fatalError("\(text)") }
}

/// Bytes that are taken from the front, zeros when there are none left.
struct Source {
    private var left: Slice<UnsafeRawBufferPointer>

    init(_ bytes: UnsafeRawBufferPointer) { left = bytes[...] }

    var isEmpty: Bool { left.isEmpty }

    mutating func byte() -> UInt8 { left.popFirst() ?? 0 }

    mutating func word() -> UInt64 { (0..<8).reduce(0) { sum, _ in sum << 8 | UInt64(byte()) } }

    /// All that is left, ended by a NUL; what is behind a NUL in it does not count.
    mutating func text() -> [CChar] {
        defer { left = left[left.endIndex...] }
        return left.map { CChar(bitPattern: $0) } + [0]
    }
}

/// One segment for all runs: zeroing a megabyte for each would leave no time for anything else.
nonisolated(unsafe) let segment: UnsafeMutablePointer<bh_segment_t> = {
    let size = bh_segment_bytes(1)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    return memory.baseAddress!.assumingMemoryBound(to: bh_segment_t.self)
}()

/// Rows that the fuzzed segment has.
let fuzzedRows = 16

/// Empties what the last run wrote.
func clearSegment() {
    let rows = UnsafeMutableRawPointer(bh_segment_row_mutable(segment, 0))
    rows.initializeMemory(as: UInt8.self, repeating: 0, count: fuzzedRows * MemoryLayout<bh_row_t>.stride)
    let others = UnsafeMutableRawPointer(bh_segment_public_mutable(segment, 0))
    others.initializeMemory(as: UInt8.self, repeating: 0, count: fuzzedRows * MemoryLayout<serverstat>.stride)
    bh_half_store(&segment.pointee.rows, 0)
}
