// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import CBackhand

/// How many session ids of one text are looked up: a browser sends one for each path it was set for. Each look-up reads
/// the whole table, and a stranger may send a thousand.
private let mostLookups = 8

extension Candidates {
    /// The place of the first candidate that a session id in the text names: a Cookie header, or a query. nil: there is
    /// none.
    ///
    /// The identifier must begin a cookie or a parameter. These end at ';' and at the separator.
    func ownerOfSession(
        in text: UnsafePointer<CChar>?, separatedBy separator: UInt8, _ identifier: UnsafePointer<CChar>
    ) -> Int? {
        guard let text else { return nil }
        let identifier = UnsafeRawPointer(identifier).assumingMemoryBound(to: UInt8.self)
        var next = UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
        var lookups = 0
        while lookups < mostLookups {
            while isBlank(next.pointee) { next += 1 }
            if let value = skip(identifier, at: next) {
                lookups += 1
                if let owner = SessionOwner(value), let place = place(of: owner) { return place }
            }
            while next.pointee != 0, next.pointee != UInt8(ascii: ";"), next.pointee != separator { next += 1 }
            guard next.pointee != 0 else { return nil }
            next += 1
        }
        return nil
    }

    private func place(of owner: SessionOwner) -> Int? {
        for place in 0..<count where owner.has(segment, list[place].row) { return place }
        return nil
    }
}

/// Where the value begins if the identifier stands here, after a quote if there is one.
private func skip(_ identifier: UnsafePointer<UInt8>, at text: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
    var length = 0
    while identifier[length] != 0 {
        guard text[length] == identifier[length] else { return nil }
        length += 1
    }
    return text + length + (text[length] == UInt8(ascii: "\"") ? 1 : 0)
}

private func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
