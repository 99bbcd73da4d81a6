// Licensed under the Apache License, Version 2.0; see LICENSE.

@testable import BackhandCandidacy
@testable import BackhandFarms
@testable import BackhandHTTP
@testable import BackhandServerStats
import CBackhand

/// The first byte says which reader gets the rest; up to the first line feed it is what the configuration has.
func fuzzCookie(_ bytes: UnsafeRawBufferPointer) {
    var source = Source(bytes)
    let kind = source.byte()
    let text = source.text()
    let lineEnd = text.firstIndex(of: 10) ?? 0
    let line = Array(text[..<lineEnd]) + [0]
    let header = Array(text[(text.firstIndex(of: 10).map { $0 + 1 } ?? 0)...])
    switch kind & 3 {
    case 0: steer(header, isGenuine: kind & 4 != 0)
    case 1: session(line, header)
    case 2: write(line, header)
    default: decide(header)
    }
}

/// 0: nothing is genuine.
nonisolated(unsafe) private let keys = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)

/// Tags that are short, so that the fuzzer finds them.
nonisolated(unsafe) private let sessions: UnsafeMutablePointer<bh_sessions_t> = {
    let made = UnsafeMutablePointer<bh_sessions_t>.allocate(capacity: 1)
    made.initialize(
        to: bh_sessions_t(
            hash: { bytes, _, _ in bytes.load(fromByteOffset: 8, as: UInt64.self) & 0xff }, count: 2,
            keys: withUnsafeBytes(of: (UInt64(0), UInt64(0), UInt64(0), UInt64(0))) { loaded($0) }))
    return made
}()

/// Whatever the application's cookie is, its target is a part of the header.
private func steer(_ header: [CChar], isGenuine: Bool) {
    header.withUnsafeBufferPointer { header in
        "S".withCString { name in
            let verify: bh_verify_fn = { keys, _, count, _ in keys.load(as: UInt8.self) != 0 && count > 16 }
            keys.pointee = isGenuine ? 1 : 0
            var rules = bh_ath_cookie_rules_t(name: name, farm: name, keys: keys, verify: verify, now_s: 1000)
            var cookie = bh_ath_cookie_t()
            let refused = bh_ath_cookie_read(&rules, header.baseAddress, &cookie)
            promise(refused <= UInt32(BH_ATH_COOKIES_MOST), "too many looked at")
            promise(cookie.steer == BH_ATH_STEER_NONE || isGenuine, "a forged one counts")
            guard cookie.steer != BH_ATH_STEER_NONE, let start = cookie.target.start else {
                promise(cookie.target.length == 0, "a target of nothing")
                return
            }
            let offset = start - header.baseAddress!
            promise(offset > 0 && offset + cookie.target.length < header.count, "a target outside")
            promise((1...255).contains(cookie.target.length), "a target without a name")
        }
    }
}

/// Values begin within the text; the same identifier finds at most eight.
private func session(_ line: [CChar], _ header: [CChar]) {
    line.withUnsafeBufferPointer { line in
        header.withUnsafeBufferPointer { header in
            for isName in [false, true] {
                var values = SessionValues(
                    header.baseAddress!, separatedBy: UInt8(ascii: ","), line.baseAddress!, isName: isName)
                var found = 0
                while let value = values.nextValue() {
                    found += 1
                    let offset = UnsafeRawPointer(value) - UnsafeRawPointer(header.baseAddress!)
                    promise((0..<header.count).contains(offset), "a value outside")
                    _ = SessionOwner(value)
                    _ = SessionOwner(tag: value)
                }
                promise(found <= 8, "too many looked up")
            }
        }
    }
}

/// A line that the configuration accepts makes one line of a header, which has the cookie and is read again.
private func write(_ line: [CChar], _ header: [CChar]) {
    line.withUnsafeBufferPointer { line in
        guard isSessionCookie(line.baseAddress!) else { return }
        var room = [CChar](repeating: 1, count: line.count + Int(BH_SESSION_EXTRA_SIZE))
        let length = room.withUnsafeMutableBufferPointer { room in
            var writer = Writer(room.baseAddress, room.count)
            let isSecure = header.count & 1 != 0
            writeSessionCookie(line.baseAddress!, tag: 0x1234_5678_9abc_def0, secure: isSecure, into: &writer)
            return writer.end()
        }
        promise(length > 17 && length < room.count && room[length] == 0, "more than its room")
        promise(room[..<length].allSatisfy { (32..<127).contains($0) || $0 == 9 }, "bytes that no header has")
        room.withUnsafeBufferPointer { room in
            var values = SessionValues(
                room.baseAddress!, separatedBy: UInt8(ascii: ","), line.baseAddress!, isName: true)
            guard let value = values.nextValue() else { return promise(false, "its own name is not found") }
            promise(SessionOwner(tag: value)?.isTag(0x1234_5678_9abc_def0) == true, "its own tag is not read")
        }
    }
}

/// A decision keeps one server or all.
private func decide(_ header: [CChar]) {
    clearSegment()
    bh_half_store(&segment.pointee.rows, 4)
    for id in 0..<UInt32(4) {
        var facts = bh_facts_t()
        (facts.address, facts.port) = (bh_address_t(ipv4: 0x0a00_0000 | id), 80)
        bh_row_store(bh_segment_row_mutable(segment, id), &facts)
        bh_word_store(&bh_segment_row_mutable(segment, id).pointee.heard_ms, 1000)
        bh_half_store(&bh_segment_row_mutable(segment, id).pointee.state, id == 3 ? BH_STATE_DRAINING.rawValue : 0)
    }
    for line in ["cookie=S", "S="] {
        line.withCString { argument in
            "bySession".withCString { name in
                header.withUnsafeBufferPointer { header in
                    guard let step = try? parseStep(name: name, argument: argument) else { return }
                    var request = bh_request_t()
                    (request.now_ms, request.cookie, request.query) = (1500, header.baseAddress, header.baseAddress)
                    request.sessions = UnsafePointer(sessions)
                    var decision = bh_decision_t()
                    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
                    defer { memory.deallocate() }
                    let status = [step].withUnsafeBufferPointer {
                        BackhandCandidacy.decide(segment, $0, &request, memory, &decision)
                    }
                    promise(status == BH_OK && (decision.count == 1 || decision.count == 3), "neither one nor all")
                }
            }
        }
    }
}

private func loaded<Value>(_ bytes: UnsafeRawBufferPointer) -> Value { bytes.load(as: Value.self) }
