// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText

/// A text that is handed on piece by piece while it is written.
struct TextPage {
    /// Above this many bytes it is handed on: one row of the table, up to 1.3 kB, fits after it without growing it.
    private static let full = 2560

    /// What has not been handed on yet.
    var text = Message()

    init() { text.reserve(4096) }

    /// Hands the text on if there is much of it, or if nothing follows; false if the sink wants no more.
    mutating func drain(to sink: TextSink, last: Bool = false) -> Bool {
        guard text.bytes.count > Self.full || last else { return true }
        let taken = text.bytes.withUnsafeBufferPointer { sink($0) }
        text.removeAll()
        return taken
    }
}

/// Milliseconds between two times; 0 if the second is not after the first.
func elapsed(since start: UInt64, _ end: UInt64) -> UInt64 {
    end > start ? end - start : 0
}
