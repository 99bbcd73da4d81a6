// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandWire
import CBackhand

/// What anybody may send: it is dropped, or it is an announcement that comes out the same when it is sent and read
/// again. What is read only with a key is looked at too, as if the signature were right.
func fuzzDatagram(_ bytes: UnsafeRawBufferPointer) {
    fuzzChallenge(bytes)
    guard case .announcement(let facts) = decodeAnnouncement(bytes) else { return }
    promise(facts.port != 0, "a server without a port")
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: announcementLimit, alignment: 8)
    defer { room.deallocate() }
    let nonce = answeredNonce(bytes)
    let signed = SignedParts(bytes) != nil
    let length = encodeAnnouncement(facts, answering: nonce, signed: signed, into: room)
    promise(length > 0, "what was read can be sent")
    guard case .announcement(let again) = decodeAnnouncement(UnsafeRawBufferPointer(rebasing: room[..<length])) else {
        fatalError("what was sent cannot be read")
    }
    promise(answeredNonce(UnsafeRawBufferPointer(rebasing: room[..<length])) == nonce, "the nonce came back changed")
    var sent = facts
    if !signed { (sent.sent_ms, sent.changed_wall) = (0, 0) }  // are not sent without a key
    promise(
        withUnsafeBytes(of: sent) { one in withUnsafeBytes(of: again) { one.elementsEqual($0) } },
        "it came back changed")
    clearSegment()
    segment.pointee.boot_id = facts.boot_id &+ 1
    var writer = StatsWriter(segment: segment, epoch: bh_segment_own(segment, 1))
    promise(writer.hear(facts, now: 1000, wall: 1) == .row(1), "a first announcement gets the first row")
    promise(writer.hear(facts, now: 1001, wall: 1) == .repeated, "a second copy is a repetition")
}

private func fuzzChallenge(_ bytes: UnsafeRawBufferPointer) {
    if let parts = SignedParts(bytes) {
        promise(parts.content.count + parts.signature.count == bytes.count, "a part of what is signed is missing")
    }
    guard let challenge = Challenge(bytes) else { return }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: challengeSize, alignment: 8)
    defer { room.deallocate() }
    promise(challenge.encode(into: room) == bytes.count, "a challenge of another length")
    promise(Challenge(UnsafeRawBufferPointer(room)) == challenge, "a challenge came back changed")
}
