// Licensed under the Apache License, Version 2.0; see LICENSE.

// The calls of farms.h for signatures.

internal import BackhandText
public import CBackhand

@c @implementation
public func bh_ath_signed_write(
    _ request: UnsafePointer<bh_ath_request_t>?, _ room: UnsafeMutablePointer<CChar>?, _ size: Int
) -> Int {
    guard let request, let room else { return 0 }
    return writeSigned(request.pointee, into: room, size)
}

@c @implementation
public func bh_ath_signed_check(
    _ request: UnsafePointer<bh_ath_request_t>?, _ now: Int64, _ keys: UnsafeRawPointer?, _ verify: bh_verify_fn?,
    _ room: UnsafeMutablePointer<CChar>?, _ roomSize: Int, _ error: UnsafeMutablePointer<CChar>?, _ errorSize: Int
) -> bh_ath_status_t {
    complaining(to: error, errorSize) { () throws(Complaint) in
        guard let request, let keys, let verify, let room else { throw impossible }
        try checkSignature(request.pointee, now: now, keys, verify, room, roomSize)
    }
}
