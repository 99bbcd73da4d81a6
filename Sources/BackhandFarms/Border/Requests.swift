// Licensed under the Apache License, Version 2.0; see LICENSE.

// The calls of farms.h for paths and queries.

internal import BackhandText
public import CBackhand

/// Longer than any path of the engine.
private let pathMost = 64

@c @implementation
public func bh_ath_path_read(_ path: bh_piece_t) -> bh_ath_kind_t {
    guard let text = Word(path, most: pathMost) else { return BH_ATH_NO_KIND }
    return readPath(text) ?? BH_ATH_NO_KIND
}

@c @implementation
public func bh_ath_request_read(
    _ path: bh_piece_t, _ query: bh_piece_t, _ room: UnsafeMutablePointer<CChar>?, _ roomSize: Int,
    _ request: UnsafeMutablePointer<bh_ath_request_t>?, _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_ath_status_t {
    complaining(to: error, errorSize) { () throws(Complaint) in
        guard let room, let request else { throw impossible }
        let kind = bh_ath_path_read(path)
        guard kind != BH_ATH_NO_KIND else {
            throw Complaint(BH_ATH_EPATH, Word(path, most: pathMost), "is not a path of the engine")
        }
        guard let text = Word(query, most: Int(BH_ATH_QUERY_MOST)) else {
            throw Complaint(BH_ATH_ELONG, "the query has more than 8192 bytes")
        }
        guard roomSize >= text.bytes.count else { throw impossible }
        var reader = QueryReader(kind, text)
        try reader.read(room: UnsafeMutableRawPointer(room).assumingMemoryBound(to: UInt8.self))
        request.pointee = reader.request
    }
}

/// A NULL, or a room that is too small.
var impossible: Complaint { Complaint(BH_ATH_EINVAL, "the engine was called with a room that is too small") }

/// Runs what may refuse a request; the reason goes into the caller's buffer.
func complaining(
    to error: UnsafeMutablePointer<CChar>?, _ size: Int, _ body: () throws(Complaint) -> Void
) -> bh_ath_status_t {
    do throws(Complaint) {
        try body()
        return BH_ATH_OK
    } catch let complaint {
        complaint.write(into: error, size)
        return complaint.status
    }
}
