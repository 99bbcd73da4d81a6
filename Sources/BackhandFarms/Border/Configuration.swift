// Licensed under the Apache License, Version 2.0; see LICENSE.

// The calls of farms.h for lines of the configuration.

internal import BackhandText
public import CBackhand

@c @implementation
public func bh_ath_farm_name_check(_ name: UnsafePointer<CChar>?) -> Bool {
    name.map { isPlain(Word($0)) } ?? false
}

@c @implementation
public func bh_ath_line_read(
    _ words: UnsafePointer<UnsafePointer<CChar>?>?, _ count: UInt32, _ isPattern: Bool,
    _ line: UnsafeMutablePointer<bh_ath_line_t>?, _ error: UnsafeMutablePointer<CChar>?, _ size: Int
) -> bh_ath_status_t {
    complaining(to: error, size) { () throws(Complaint) in
        guard let words, let line, count > 0, let first = words[0] else { throw impossible }
        var read = try MemberLine(Word(first), isPattern: isPattern)
        for place in 1..<max(1, Int(count)) {
            guard let word = words[place] else { throw impossible }
            try read.take(Word(word), isPattern: isPattern)
        }
        line.pointee = bh_ath_line_t(
            host: read.host.crossing, port: read.port, weight: read.weight, forward: read.forward?.crossing.start)
    }
}

@c @implementation
public func bh_ath_line_host(
    _ directive: UnsafePointer<CChar>?, _ arguments: UnsafePointer<CChar>?, _ host: UnsafeMutablePointer<bh_piece_t>?,
    _ wrong: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> Bool {
    guard let directive, let arguments, let host, let wrong else { return false }
    let last = host.pointee.start.map { $0 - arguments }
    guard let url = nextURL(Word(directive), Word(arguments), after: last) else { return false }
    host.pointee = url.host.crossing
    wrong.pointee = url.reason.map { UnsafeRawPointer($0.utf8Start).assumingMemoryBound(to: CChar.self) }
    return true
}
