// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandText
internal import CBackhand

/// Why a request to the engine is refused, in words for the client.
///
/// Borrows the value from the query, and is written before the call ends: so it may be thrown, though the compiler
/// cannot see it.
struct Complaint: Error, @unchecked Sendable {
    let status: bh_ath_status_t
    /// The letter of the argument; 0: it is about something else.
    private(set) var code: UInt8 = 0
    /// What is wrong; nil: there is nothing to show.
    private(set) var value: Word?
    let reason: StaticString

    /// About the query as a whole.
    init(_ status: bh_ath_status_t, _ reason: StaticString) {
        (self.status, self.reason) = (status, reason)
    }

    /// About a part of the query.
    init(_ status: bh_ath_status_t, _ value: Word?, _ reason: StaticString) {
        (self.status, self.value, self.reason) = (status, value, reason)
    }

    /// About an argument.
    init(_ status: bh_ath_status_t, code: UInt8, _ value: Word?, _ reason: StaticString) {
        (self.status, self.code, self.value, self.reason) = (status, code, value, reason)
    }

    /// Longer values are cut, so that the reason after them is not.
    private static var mostShown: Int { 64 }

    /// Writes one line without its end: "l=much: a number is wanted", "'%zz' is not an escape".
    @inline(never)
    func write(into room: UnsafeMutablePointer<CChar>?, _ size: Int) {
        guard size > 0 else { return }
        var writer = LineWriter(room, size, reserved: 1)
        if code != 0 {
            writer.add(printable: code)
            if let value {
                writer.add(UInt8(ascii: "="))
                add(value, to: &writer)
            }
            writer.add(": ")
        } else if let value {
            writer.add(UInt8(ascii: "'"))
            add(value, to: &writer)
            writer.add("' ")
        }
        writer.add(reason)
        writer.end()
    }

    private func add(_ value: Word, to writer: inout LineWriter) {
        writer.add(printable: value.prefix(Self.mostShown))
        if value.bytes.count > Self.mostShown { writer.add("...") }
    }
}
