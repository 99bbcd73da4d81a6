// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

// Pages are handed on piece by piece while they are written.

/// Above this many bytes a text is handed on: one row of the table, up to 1.3 kB, fits after it into 4 kB.
private var full: Int { 2560 }

extension Message {
    /// Hands the text on if there is much of it, or if nothing follows; false if the sink wants no more.
    mutating func drain(to sink: TextSink, last: Bool = false) -> Bool {
        guard bytes.count > full || last else { return true }
        let taken = bytes.withUnsafeBufferPointer { sink($0) }
        removeAll()
        return taken
    }
}

extension JSONPage {
    /// The same.
    mutating func drain(to sink: TextSink, last: Bool = false) -> Bool { text.drain(to: sink, last: last) }

    mutating func field(_ name: StaticString, _ reason: Reason, of facts: bh_facts_t) {
        var words = Message()
        words.add(reason, of: facts)
        field(name, plain: words)
    }

    mutating func field(_ name: StaticString, _ address: bh_address_t) {
        var words = Message()
        words.add(address)
        field(name, plain: words)
    }
}

/// Milliseconds between two times; 0 if the second is not after the first.
func elapsed(since start: UInt64, _ end: UInt64) -> UInt64 {
    end > start ? end - start : 0
}
