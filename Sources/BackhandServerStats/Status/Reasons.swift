// Licensed under the Apache License, Version 2.0; see LICENSE.

public import BackhandText
public import CBackhand

/// Servers that are named at most, so that a line stays readable; the others are counted.
private var mostNamed: Int { 8 }

/// Why other servers get nothing, or less than their share: "10.0.0.4:80 silent 7 s, 10.0.0.5:80 doubt and 3 more";
/// empty: nothing speaks against any.
public func reasons(_ segment: UnsafePointer<bh_segment_t>, now: UInt64) -> Message {
    let rows = bh_segment_rows(segment)
    let longest = bh_segment_presence(segment, rows, now)
    var (text, named) = (Message(), 0)
    for id in 1..<max(rows, 1) {
        let row = bh_segment_row(segment, id)
        var facts = bh_facts_t()
        guard !bh_row_own(row), isUsed(row), bh_row_copy(row, &facts) else { continue }
        let why = reason(segment, id, facts, longest: longest, now: now)
        if why == .nothing { continue }
        named += 1
        if named > mostNamed { continue }
        if named > 1 { text.add(", ") }
        text.add(facts.address, port: facts.port)
        text.add(" ")
        text.add(why, of: facts)
    }
    guard named > mostNamed else { return text }
    text.add(" and ")
    text.add(named - mostNamed)
    text.add(" more")
    return text
}
